"""Boxes, assignments, losses, a whole detector and its score, each held against a library."""

import io
from contextlib import redirect_stdout
from copy import copy
from itertools import permutations

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment as scipy_assignment
from scipy.optimize import linprog
from torch.autograd import gradcheck
from torch.utils.flop_counter import FlopCounterMode
from torchmetrics.functional.detection import panoptic_quality as torchmetrics_pq
from transformers import (
    DetrConfig,
    DetrForObjectDetection,
    DetrForSegmentation,
    ResNetConfig,
)
from transformers.loss.loss_for_object_detection import dice_loss as hugging_face_dice

from snippets.common import records
from snippets.common.data import small_digits
from snippets.cv.detr import (
    COCO_THRESHOLDS,
    DETR,
    DecoderLayer,
    EncoderLayer,
    HungarianMatcher,
    MultiHeadAttention,
    ResNet,
    SetCriterion,
    assignment_with_potentials,
    average_precision,
    box_area,
    box_cxcywh_to_xyxy,
    box_iou,
    box_xyxy_to_cxcywh,
    crops,
    detect,
    digits_scene,
    generalized_box_iou,
    greedy_assignment,
    interpolated_ap,
    linear_sum_assignment,
    load_hf_state_dict,
    nms,
    paired_giou,
    panoptic_quality,
    place_boxes,
    post_process,
    scenes,
    score,
    shape_mask,
    shapes_scene,
    sine_position_encoding_2d,
    small_detr,
    suppress,
    train,
)
from snippets.cv.detr.panoptic import AttentionMap, MaskHead, dice_loss, paint


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def random_corners(n, seed=0, dtype=torch.float64):
    """Boxes (x0, y0, x1, y1) of all sizes in the unit square."""
    ends = torch.rand(2, n, 2, generator=rng(seed), dtype=dtype)
    return torch.cat([ends.amin(0), ends.amax(0)], 1)


# -- boxes ---------------------------------------------------------------------------------------


def test_giou_is_that_of_polygons():
    a, b = random_corners(60, 0), random_corners(50, 1)
    iou, union = box_iou(a, b)
    giou = generalized_box_iou(a, b)
    first = shapely.box(*a.T.numpy())[:, None]
    second = shapely.box(*b.T.numpy())[None]
    inter = shapely.area(shapely.intersection(first, second))
    either = shapely.area(shapely.union(first, second))
    hull = shapely.area(shapely.envelope(shapely.union(first, second)))
    np.testing.assert_allclose(union, either, atol=1e-14)
    np.testing.assert_allclose(iou, inter / either, atol=1e-14)
    np.testing.assert_allclose(giou, inter / either - (hull - either) / hull, atol=1e-13)
    np.testing.assert_allclose(paired_giou(a[:50], b), giou[:50].diagonal(), atol=1e-15)
    np.testing.assert_allclose(box_area(a), shapely.area(first[:, 0]), atol=1e-15)


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_giou_lies_between_minus_one_and_iou(numbers):
    ends = torch.tensor(numbers, dtype=torch.float64).reshape(2, 2, 2)
    a, b = torch.cat([ends.amin(1), ends.amax(1)], 1)[:, None]
    iou, giou = box_iou(a, b)[0].item(), paired_giou(a, b).item()
    assert -1 - 1e-12 <= giou <= iou + 1e-12 <= 1 + 2e-12
    assert generalized_box_iou(b, a).item() == pytest.approx(giou)


def test_the_two_notations_are_inverse():
    b = random_corners(40)
    back = box_cxcywh_to_xyxy(box_xyxy_to_cxcywh(b))
    torch.testing.assert_close(back, b)


def test_giou_pulls_where_iou_is_flat():
    a = torch.tensor([[0.1, 0.1, 0.3, 0.35]], dtype=torch.float64, requires_grad=True)
    near = torch.tensor([[0.2, 0.15, 0.5, 0.6]], dtype=torch.float64)
    far = torch.tensor([[0.6, 0.7, 0.9, 0.8]], dtype=torch.float64)
    for b in (near, far):
        assert gradcheck(lambda x, b=b: paired_giou(x, b), a)
    (flat,) = torch.autograd.grad(box_iou(a, far)[0].sum(), a)
    (pull,) = torch.autograd.grad(paired_giou(a, far).sum(), a)
    assert not flat.any()
    moved = paired_giou(a + 1e-3 * pull, far)
    assert moved.item() > paired_giou(a, far).item()


def test_giou_does_not_change_with_the_unit_and_l1_does():
    a, b = random_corners(20, 2), random_corners(20, 3)
    torch.testing.assert_close(paired_giou(640 * a, 640 * b), paired_giou(a, b))
    assert ((640 * a - 640 * b).abs().sum() / (a - b).abs().sum()).item() == pytest.approx(640)


def test_points_without_area_are_no_division_by_zero():
    point = torch.zeros(1, 4)
    assert box_iou(point, point)[0].item() == paired_giou(point, point).item() == 0


def test_nms_keeps_no_two_that_overlap_and_drops_none_without_reason():
    boxes = random_corners(80, 4)
    scores = torch.rand(80, generator=rng(5))
    kept = nms(boxes, scores, 0.3)
    among = box_iou(boxes[kept], boxes[kept])[0].fill_diagonal_(0)
    assert among.max() <= 0.3
    assert (scores[kept].diff() <= 0).all()
    for i in set(range(80)) - set(kept.tolist()):
        better = kept[scores[kept] >= scores[i]]
        assert (box_iou(boxes[i : i + 1], boxes[better])[0] > 0.3).any()


# -- the assignment problem ----------------------------------------------------------------------


def matrices():
    """400 of them: rectangular both ways, real, tied, negative, constant, empty."""
    source = np.random.default_rng(0)
    for i in range(400):
        shape = source.integers(1, 13, 2)
        if i % 4 == 0:
            yield source.normal(size=shape)
        elif i % 4 == 1:
            yield source.integers(0, 4, shape).astype(float)
        elif i % 4 == 2:
            yield source.integers(-3, 2, shape) * 0.5
        else:
            yield np.round(source.uniform(size=shape), 1) * 10.0 ** source.integers(-6, 7)
    yield np.ones((5, 5))
    yield np.zeros((0, 3))
    yield np.zeros((3, 0))
    yield source.normal(size=(60, 40))


def test_assignments_cost_what_scipys_do():
    for cost in matrices():
        rows, columns = linear_sum_assignment(cost)
        theirs = scipy_assignment(cost)
        assert len(set(rows)) == len(set(columns)) == len(rows) == min(cost.shape)
        assert (np.diff(rows) > 0).all()
        ours = cost[rows, columns].sum()
        assert ours == pytest.approx(cost[theirs].sum(), rel=1e-12, abs=1e-12)


def test_where_no_two_sums_are_equal_the_pairs_are_scipys():
    source = np.random.default_rng(1)
    for _ in range(300):
        cost = source.normal(size=source.integers(1, 15, 2))
        for ours, theirs in zip(linear_sum_assignment(cost), scipy_assignment(cost), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_potentials_prove_it():
    for cost in matrices():
        if not cost.size:
            continue
        cost = cost if cost.shape[0] <= cost.shape[1] else cost.T
        columns, u, v = assignment_with_potentials(cost)
        scale = abs(cost).max() + 1e-300
        reduced = (cost - u[:, None] - v) / scale
        assert reduced.min() > -1e-9
        assert abs(reduced[np.arange(len(u)), columns]).max() < 1e-9
        assert (v <= 1e-9 * scale).all()
        free = np.setdiff1d(np.arange(cost.shape[1]), columns)
        assert not v[free].any()
        total = cost[np.arange(len(u)), columns].sum()
        assert u.sum() + v.sum() == pytest.approx(total, rel=1e-9, abs=1e-9 * scale)


def test_all_permutations_and_the_relaxed_program_agree():
    source = np.random.default_rng(2)
    for n in (2, 4, 5):
        cost = source.integers(0, 9, (n, n)).astype(float)
        rows, columns = linear_sum_assignment(cost)
        tried = min(cost[np.arange(n), list(p)].sum() for p in permutations(range(n)))
        sums = [np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))]
        relaxed = linprog(cost.ravel(), A_eq=np.vstack(sums), b_eq=np.ones(2 * n))
        assert cost[rows, columns].sum() == tried == pytest.approx(relaxed.fun)
        assert np.minimum(relaxed.x, 1 - relaxed.x) == pytest.approx(0, abs=1e-9)


def test_greedy_is_a_valid_assignment_and_never_cheaper():
    worse = 0
    for cost in matrices():
        rows, columns = greedy_assignment(cost)
        assert len(set(rows)) == len(set(columns)) == min(cost.shape)
        best = cost[linear_sum_assignment(cost)].sum()
        assert cost[rows, columns].sum() >= best - 1e-9 * abs(cost).sum()
        worse += cost[rows, columns].sum() > best + 1e-9
    assert worse > 50


# -- average precision and panoptic quality ------------------------------------------------------


def random_detections(images=60, classes=4, seed=0):
    """Whole-pixel boxes, coarse scores (ties), jittered copies of the truth, a class unseen."""
    source = np.random.default_rng(seed)
    dets, gts = [], []
    for _ in range(images):
        n = source.integers(0, 7)
        corner, size = source.integers(0, 60, (n, 2)), source.integers(4, 30, (n, 2))
        truth = np.hstack([corner, corner + size]).astype(float)
        labels = source.integers(0, classes, n)
        labels[labels == 2] = 1  # class 2 has detections but no object
        gts.append({"boxes": truth, "labels": labels})
        copies = np.repeat(truth, 3, 0) + source.integers(-3, 4, (3 * n, 4))
        copies[:, 2:] = np.maximum(copies[:, 2:], copies[:, :2] + 1)
        noise = source.integers(0, 50, (5, 2))
        boxes = np.vstack([copies, np.hstack([noise, noise + source.integers(3, 20, (5, 2))])])
        found = np.append(np.repeat(labels, 3), source.integers(0, classes, 5))
        scores = source.integers(0, 10, len(boxes)) / 10
        dets.append({"boxes": boxes, "scores": scores, "labels": found})
    return dets, gts


def pycocotools_table(dets, gts, classes, max_dets):
    def xywh(box):
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    truth, found = [], []
    for i, (det, gt) in enumerate(zip(dets, gts, strict=True)):
        for box, label in zip(gt["boxes"], gt["labels"], strict=True):
            area = (box[2] - box[0]) * (box[3] - box[1])
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": i,
                    "category_id": int(label),
                    "bbox": xywh(box),
                    "area": area,
                    "iscrowd": 0,
                }
            )
        for box, value, label in zip(det["boxes"], det["scores"], det["labels"], strict=True):
            found.append(
                {
                    "image_id": i,
                    "category_id": int(label),
                    "bbox": xywh(box),
                    "score": float(value),
                }
            )
    with redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i} for i in range(len(gts))],
            "categories": [{"id": c} for c in range(classes)],
            "annotations": truth,
        }
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.params.maxDets = [max_dets]
        run.evaluate()
        run.accumulate()
    return run.eval["precision"][:, :, :, 0, 0].mean(1)


@pytest.mark.parametrize("max_dets", [1, 3, 100])
def test_ap_is_pycocotools(max_dets):
    for seed in range(3):
        dets, gts = random_detections(seed=seed)
        ours = average_precision(dets, gts, max_dets=max_dets)
        theirs = pycocotools_table(dets, gts, 4, max_dets)
        np.testing.assert_allclose(ours["table"], theirs, atol=1e-8)
        assert (ours["table"][:, 2] == -1).all()
        seen = theirs[theirs > -1].reshape(len(theirs), -1)
        assert ours["ap"] == pytest.approx(seen.mean(), abs=1e-8)
        np.testing.assert_allclose(ours["by_threshold"], seen.mean(1), atol=1e-8)


def test_of_equal_overlaps_the_last_object_is_taken():
    truth = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10]])
    found = np.array([[1.0, 0, 11, 10], [3, 0, 13, 10]])  # the first overlaps both by 9/11
    dets = [{"boxes": found, "scores": np.array([0.9, 0.8]), "labels": np.zeros(2, int)}]
    tables = []
    for order in ([0, 1], [1, 0]):
        gts = [{"boxes": truth[order], "labels": np.zeros(2, int)}]
        tables.append(average_precision(dets, gts)["table"])
        np.testing.assert_allclose(tables[-1], pycocotools_table(dets, gts, 1, 100), atol=1e-8)
    assert (tables[0] != tables[1]).any()


def test_average_precision_at_the_ends():
    dets, gts = random_detections()
    perfect = [gt | {"scores": np.ones(len(gt["labels"]))} for gt in gts]
    assert average_precision(perfect, gts)["ap"] == 1
    none = [{"boxes": [], "scores": [], "labels": []}] * len(gts)
    assert average_precision(none, gts)["ap"] == 0
    assert average_precision(none, none)["ap"] == -1
    assert average_precision(dets, none)["ap"] == -1
    assert COCO_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def random_panoptic(images=3, seed=0):
    source = np.random.default_rng(seed)
    target = np.zeros((images, 24, 24, 2), int)
    for one in target:  # ground of stuff 3 and 4, rectangles of things 0, 1, 2
        one[:, :12, 0], one[:, 12:, 0] = 3, 4
        for instance in range(1, 7):
            y, x = source.integers(0, 16, 2)
            h, w = source.integers(4, 9, 2)
            one[y : y + h, x : x + w] = source.integers(0, 3), instance
    pred = np.roll(target, source.integers(-1, 2), axis=2)
    swap = source.uniform(size=pred.shape[:3]) < 0.1
    pred[swap] = np.roll(pred, 5, axis=1)[swap]
    pred[pred[..., 0] >= 3, 1] = 0
    return pred, target


def test_panoptic_is_torchmetrics():
    for seed in range(20):
        pred, target = random_panoptic(seed=seed)
        ours = panoptic_quality(pred, target)
        theirs = torchmetrics_pq(
            torch.tensor(pred),
            torch.tensor(target),
            things={0, 1, 2},
            stuffs={3, 4},
            return_sq_and_rq=True,
            return_per_class=True,
        )
        for category, values in enumerate(theirs.reshape(5, 3).tolist()):
            one = ours.get(category, {"pq": 0.0, "sq": 0.0, "rq": 0.0})
            assert [one["pq"], one["sq"], one["rq"]] == pytest.approx(values, abs=1e-6)


def test_panoptic_quality_of_itself_is_one():
    _, target = random_panoptic()
    assert {one["pq"] for one in panoptic_quality(target, target).values()} == {1.0}


# -- the matcher and the criterion ---------------------------------------------------------------


def random_outputs(batch=3, queries=7, classes=5, seed=0, layers=2):
    generator = rng(seed)

    def one():
        return {
            "pred_logits": torch.randn(batch, queries, classes + 1, generator=generator),
            "pred_boxes": torch.rand(batch, queries, 4, generator=generator) * 0.5 + 0.1,
        }

    return one() | {"aux_outputs": [one() for _ in range(layers)]}


def random_targets(counts=(2, 0, 3), classes=5, seed=1):
    generator = rng(seed)
    return [
        {
            "labels": torch.randint(classes, (n,), generator=generator),
            "boxes": torch.rand(n, 4, generator=generator) * 0.4 + 0.2,
        }
        for n in counts
    ]


def test_the_matcher_finds_the_best():
    outputs, targets = random_outputs(queries=5), random_targets()
    matcher = HungarianMatcher()
    pairs = matcher(outputs, targets)
    for cost, (i, j) in zip(matcher.costs(outputs, targets), pairs, strict=True):
        m = cost.shape[1]
        tried = [cost[list(p), range(m)].sum() for p in permutations(range(5), m)]
        assert cost[i, j].sum() == pytest.approx(min(tried))
    theirs = HungarianMatcher(solve=scipy_assignment)(outputs, targets)
    for ours, other in zip(pairs, theirs, strict=True):
        torch.testing.assert_close(ours, other)


def test_the_cost_counted_by_hand():
    logits = torch.tensor([[[0.0, 0.0, 0.0], [np.log(2.0), 0.0, 0.0]]], dtype=torch.float64)
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.3, 0.5, 0.2, 0.2]]], dtype=torch.float64)
    target = {"labels": torch.tensor([0]), "boxes": boxes[0, :1]}
    outputs = {"pred_logits": logits, "pred_boxes": boxes}
    (found,) = HungarianMatcher().costs(outputs, [target])
    # the second box touches the first: L1 0.2, GIoU 0, and p = 1/2
    assert found[:, 0] == pytest.approx([-1 / 3 - 2, -1 / 2 + 5 * 0.2])
    (found,) = HungarianMatcher(3, 7, 0).costs(outputs, [target])
    assert found[:, 0] == pytest.approx([-1, -3 / 2 + 7 * 0.2])


def test_every_layer_weighs_the_same():
    weights = {"ce": 1.5, "bbox": 4.0, "giou": 3.0}
    losses = SetCriterion(5, HungarianMatcher(), weights)(random_outputs(), random_targets())
    ends = ("", "_0", "_1")
    assert set(losses) == {"loss"} | {name + end for name in weights for end in ends}
    total = sum(weights[name] * losses[name + end].item() for name in weights for end in ends)
    assert losses["loss"].item() == pytest.approx(total)


def test_order_does_not_matter():
    outputs, targets = random_outputs(), random_targets()
    criterion = SetCriterion(5, HungarianMatcher())
    losses = criterion(outputs, targets)
    shuffled = []
    for target in targets:
        order = torch.randperm(len(target["labels"]), generator=rng(3))
        shuffled.append({name: value[order] for name, value in target.items()})
    order = torch.randperm(7, generator=rng(4))

    def turn(one):
        return {name: value[:, order] for name, value in one.items() if name != "aux_outputs"}

    turned = turn(outputs) | {"aux_outputs": [turn(one) for one in outputs["aux_outputs"]]}
    for other in (criterion(outputs, shuffled), criterion(turned, targets)):
        assert other.keys() == losses.keys()
        for name, value in losses.items():
            torch.testing.assert_close(other[name], value)


def test_the_loss_counted_by_hand():
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]).requires_grad_()
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1], [0.9, 0.9, 0.1, 0.1]]])
    target = {"labels": torch.tensor([0]), "boxes": torch.tensor([[0.5, 0.5, 0.4, 0.2]])}
    losses = SetCriterion(1, HungarianMatcher())(
        {"pred_logits": logits, "pred_boxes": boxes}, [target]
    )
    minus_log = -logits[0].log_softmax(-1).detach()
    ce = (minus_log[0, 0] + 0.1 * minus_log[1, 1] + 0.1 * minus_log[2, 1]) / 1.2
    expected = {"ce": ce.item(), "bbox": 0.2, "giou": 0.5}
    assert {n: v.item() for n, v in losses.items() if n != "loss"} == pytest.approx(expected)
    assert losses["loss"].item() == pytest.approx(ce.item() + 5 * 0.2 + 2 * 0.5)


def test_without_objects_classes_learn():
    outputs, targets = random_outputs(), random_targets((0, 0, 0))
    losses = SetCriterion(5, HungarianMatcher())(outputs, targets)
    assert losses["bbox"] == losses["giou"] == losses["bbox_0"] == 0
    assert losses["ce"] > 0
    assert losses["loss"].isfinite()


# -- positions and layers ------------------------------------------------------------------------


def test_padding_shifts_nothing():
    small = sine_position_encoding_2d((5, 7), 16)
    mask = torch.zeros(2, 8, 9, dtype=torch.bool)
    mask[:, :5, :7] = True
    padded = sine_position_encoding_2d(mask, 16)
    torch.testing.assert_close(padded[0, :5, :7], small)
    plain = sine_position_encoding_2d((4, 6), 8, temperature=20, normalize=False)
    assert plain[2, 3, 0].item() == pytest.approx(np.sin(3))
    assert plain[2, 3, 1].item() == pytest.approx(np.cos(3))
    assert plain[2, 3, 4].item() == pytest.approx(np.sin(4))
    assert plain[2, 3, 6].item() == pytest.approx(np.sin(4 * 20**-0.5), abs=1e-6)


def test_attention_is_torchs():
    ours, theirs = MultiHeadAttention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.W_q.weight, ours.W_k.weight, ours.W_v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.W_q.bias, ours.W_k.bias, ours.W_v.bias]))
    theirs.out_proj.load_state_dict(ours.W_o.state_dict())
    q, k, v = (torch.randn(2, n, 16, generator=rng(n)) for n in (3, 5, 5))
    pad = torch.tensor([[False] * 5, [False, False, True, False, True]])
    expected, weights = theirs(q, k, v, key_padding_mask=pad, average_attn_weights=False)
    torch.testing.assert_close(ours(q, k, v, pad), expected, atol=1e-6, rtol=1e-5)
    _, weights = theirs(q, k, v, average_attn_weights=False)
    torch.testing.assert_close(ours.weights(q, k), weights, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_what_lies_on_padding_is_never_seen(pre_norm):
    torch.manual_seed(0)
    x, pos = torch.randn(1, 6, 8), torch.randn(6, 8)
    pad = torch.tensor([[False, False, False, False, True, True]])
    other = x.clone()
    other[:, 4:] = 100 * torch.randn(1, 2, 8)
    encoder = EncoderLayer(8, 2, 12, pre_norm)
    torch.testing.assert_close(encoder(x, pos, pad)[:, :4], encoder(other, pos, pad)[:, :4])
    decoder, tgt, query_pos = (
        DecoderLayer(8, 2, 12, pre_norm),
        torch.randn(1, 3, 8),
        torch.randn(3, 8),
    )
    torch.testing.assert_close(
        decoder(tgt, x, pos, query_pos, pad), decoder(tgt, other, pos, query_pos, pad)
    )


def give(theirs, ours):
    """Copy the weights of our attention into torch's."""
    with torch.no_grad():
        for name in ("weight", "bias"):
            three = [getattr(getattr(ours, f"W_{x}"), name) for x in "qkv"]
            getattr(theirs, f"in_proj_{name}").copy_(torch.cat(three))
    theirs.out_proj.load_state_dict(ours.W_o.state_dict())


@pytest.mark.parametrize("pre_norm", [False, True])
def test_without_positions_the_layers_are_torchs(pre_norm):
    torch.manual_seed(0)
    sizes = {"dim_feedforward": 24, "dropout": 0.0, "batch_first": True, "norm_first": pre_norm}
    x, tgt = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    pairs = (
        (EncoderLayer, torch.nn.TransformerEncoderLayer, (x, 0 * x), (x,)),
        (DecoderLayer, torch.nn.TransformerDecoderLayer, (tgt, x, 0 * x, 0 * tgt), (tgt, x)),
    )
    for own, other, inputs, plain in pairs:
        ours, theirs = own(16, 4, 24, pre_norm), other(16, 4, **sizes)
        attentions = [("self_attn", "self_attn"), ("cross_attn", "multihead_attn")]
        for a, b in attentions[: len(ours.norms) - 1]:
            give(getattr(theirs, b), getattr(ours, a))
        theirs.linear1.load_state_dict(ours.ffn[0].state_dict())
        theirs.linear2.load_state_dict(ours.ffn[2].state_dict())
        for i, norm in enumerate(ours.norms, 1):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
        torch.testing.assert_close(ours(*inputs), theirs(*plain), atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def small():
    return small_detr(3, 3).eval()


def test_queries_permuted_permute_the_outputs(small):
    images = torch.rand(2, 3, 64, 64, generator=rng())
    before = small(images)
    order = torch.randperm(8, generator=rng(1))
    kept = small.query_pos.weight.detach().clone()
    with torch.no_grad():
        small.query_pos.weight.copy_(kept[order])
        after = small(images)
        small.query_pos.weight.copy_(kept[:1].expand_as(kept))
        same = small(images)
        small.query_pos.weight.copy_(kept)
    for name in ("pred_logits", "pred_boxes"):
        torch.testing.assert_close(after[name], before[name][:, order], atol=1e-5, rtol=0)
        assert (same[name] - same[name][:, :1]).abs().max() < 1e-6


def test_the_first_self_attention_does_not_see_the_picture(small):
    seen = []
    hook = small.decoder[0].self_attn.register_forward_hook(lambda *call: seen.append(call[2]))
    for seed in (0, 1):
        small(torch.rand(1, 3, 64, 64, generator=rng(seed)))
    hook.remove()
    assert torch.equal(*seen)


def test_post_process_scales_and_leaves_no_object_out():
    outputs = {
        "pred_logits": torch.tensor([[[0.0, 1.0, 9.0], [3.0, 0.0, 0.0]]]),
        "pred_boxes": torch.tensor([[[0.5, 0.5, 1.0, 1.0], [0.25, 0.5, 0.5, 0.2]]]),
    }
    (found,) = post_process(outputs, torch.tensor([[100, 200]]))
    assert found["labels"].tolist() == [1, 0]
    assert found["boxes"].tolist() == [[0, 0, 200, 100], pytest.approx([0, 40, 100, 60])]
    expected = outputs["pred_logits"].softmax(-1)[0, [0, 1], [1, 0]]
    torch.testing.assert_close(found["scores"], expected)


# -- the same weights in another implementation --------------------------------------------------


def hugging_face(kind="bottleneck", auxiliary_loss=False):
    """Their detector with random weights large enough that all parts matter, and ours with them."""
    torch.manual_seed(0)
    config = DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=ResNetConfig(
            depths=[1, 2, 1, 1],
            hidden_sizes=[8, 16, 24, 32],
            layer_type=kind,
            embedding_size=8,
            out_features=["stage4"],
        ),
        auxiliary_loss=auxiliary_loss,
        dropout=0.0,
        d_model=32,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_queries=7,
        num_labels=5,
    )
    theirs = DetrForObjectDetection(config).eval()
    state = theirs.state_dict()
    for name, value in state.items():
        if value.ndim > 1:
            value.normal_(0, (3 / value[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5)
        else:
            value.normal_(0, 0.2)
    state["model.query_position_embeddings.weight"].mul_(5)
    theirs.load_state_dict(state)
    backbone = ResNet((1, 2, 1, 1), (8, 16, 24, 32), 8, kind == "bottleneck")
    ours = DETR(backbone, 5, 7, 32, 4, 2, 3, 48).eval()
    load_hf_state_dict(ours, state)
    return theirs, ours


def padded_images():
    images = torch.randn(2, 3, 96, 128, generator=rng())
    valid = torch.ones(2, 96, 128, dtype=torch.bool)
    valid[1, 70:], valid[1, :, 100:] = False, False
    return images * valid[:, None], valid


@pytest.mark.parametrize("kind", ["bottleneck", "basic"])
@pytest.mark.parametrize("padded", [False, True])
def test_forward_is_hugging_faces(kind, padded):
    theirs, ours = hugging_face(kind)
    images, valid = padded_images()
    targets = random_targets((2, 1))
    labels = [{"class_labels": t["labels"], "boxes": t["boxes"]} for t in targets]
    with torch.no_grad():
        expected = theirs(images, valid.long() if padded else None, labels=labels)
        found = ours(images, valid if padded else None)
    assert expected.logits.std(1).mean() > 0.05  # the queries differ: the comparison says something
    torch.testing.assert_close(found["pred_logits"], expected.logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(found["pred_boxes"], expected.pred_boxes, atol=1e-5, rtol=0)
    found["aux_outputs"] = []
    losses = SetCriterion(5, HungarianMatcher())(found, targets)
    for name in ("ce", "bbox", "giou"):
        assert losses[name].item() == pytest.approx(
            expected.loss_dict[f"loss_{name}"].item(), rel=1e-5
        )
    assert losses["loss"].item() == pytest.approx(expected.loss.item(), rel=1e-5)


def test_their_flag_for_auxiliary_losses_changes_what_is_predicted():
    plain, ours = hugging_face()
    flagged, _ = hugging_face(auxiliary_loss=True)
    flagged.load_state_dict(plain.state_dict())
    images, _ = padded_images()
    with torch.no_grad():
        right, wrong = plain(images).logits, flagged(images).logits
        found = ours(images)
        ours.aux = False
        same = ours(images)
    assert (right - wrong).abs().max() > 1e-3
    torch.testing.assert_close(found["pred_logits"], right, atol=1e-5, rtol=0)
    assert torch.equal(found["pred_logits"], same["pred_logits"])
    assert len(found["aux_outputs"]) == 2
    assert same["aux_outputs"] == []


def test_a_mask_turned_over_matters():
    theirs, ours = hugging_face()
    images, valid = padded_images()
    with torch.no_grad():
        right = theirs(images, valid.long()).logits
        assert (ours(images, valid)["pred_logits"] - right).abs().max() < 1e-5
        assert (ours(images, ~valid)["pred_logits"] - right).abs().max() > 1e-3


def test_the_parameters_and_multiplications_of_the_paper():
    with torch.device("meta"):
        model = DETR(ResNet(), 91)
        image = torch.empty(1, 3, 800, 1066)
    sizes = {
        name: sum(p.numel() for p in getattr(model, name).parameters())
        for name, _ in model.named_children()
    }
    frozen = [*model.backbone.stem.parameters(), *model.backbone.stages[0].parameters()]
    still = sum(p.numel() for p in frozen)
    assert sizes["encoder"] == 7_890_432
    assert still == 222_400
    assert sizes["decoder"] + sizes["decoder_norm"] == 9_473_024
    assert sizes["backbone"] == 23_454_912
    rest = [sizes[name] for name in ("project", "query_pos", "classes", "boxes")]
    assert sum(rest) + 7_890_432 + 9_473_024 == 18_069_856
    assert sum(sizes.values()) == 41_524_768
    assert sum(sizes.values()) - still == 41_302_368
    with FlopCounterMode(display=False) as counter:
        model.eval()(image)
    assert counter.get_total_flops() / 2 / 1e9 == pytest.approx(81.2, abs=0.05)


# -- scenes and training -------------------------------------------------------------------------


def test_a_seed_is_a_scene():
    first, again = (scenes(shapes_scene, np.random.default_rng(3), 5) for _ in range(2))
    assert torch.equal(first[0], again[0])
    for one, other in zip(first[1], again[1], strict=True):
        assert torch.equal(one["boxes"], other["boxes"])
        assert torch.equal(one["labels"], other["labels"])


def test_boxes_are_tight_and_do_not_overlap():
    source = np.random.default_rng(0)
    for _ in range(50):
        boxes = torch.tensor(place_boxes(source, 3, 14, 28), dtype=torch.float64)
        assert box_iou(boxes, boxes)[0].fill_diagonal_(0).max() == 0
        assert boxes.min() >= 0
        assert boxes.max() <= 64
    for kind in range(3):
        for side in range(14, 29):
            mask = shape_mask(kind, side)
            assert mask.any(0).all()
            assert mask.any(1).all()
    areas = [shape_mask(kind, 400).mean() for kind in range(3)]
    assert areas == pytest.approx([np.pi / 4, 1, 0.5], abs=0.01)


def test_digits_lie_in_their_boxes():
    x, y = small_digits()
    images, targets = scenes(digits_scene(x, y), np.random.default_rng(0), 30)
    for image, target in zip(images, targets, strict=True):
        outside = torch.ones(64, 64, dtype=torch.bool)
        for x0, y0, x1, y1 in (box_cxcywh_to_xyxy(target["boxes"]) * 64).round().int():
            assert image[0, y0:y1, x0:x1].max() > 0.6
            outside[y0:y1, x0:x1] = False
        assert image[0, outside].max() < 0.6
    windows, labels = crops(digits_scene(x, y, most=1), np.random.default_rng(0), 4)
    assert windows.shape == (4, 1, 32, 32)
    assert labels.shape == (4,)


def test_score_counts_and_suppress_removes_twins():
    target = {"labels": torch.tensor([1]), "boxes": torch.tensor([[0.5, 0.5, 0.25, 0.25]])}
    box = torch.tensor([24.0, 24.0, 40.0, 40.0])
    det = {
        "boxes": torch.stack([box, box + 0.5, box]),
        "scores": torch.tensor([0.9, 0.8, 0.2]),
        "labels": torch.tensor([1, 1, 0]),
    }
    (kept,) = suppress([det], 0.7)
    assert kept["labels"].tolist() == [1, 0]
    before, after = score([det], [target]), score([kept], [target])
    assert before["ap50"] == after["ap50"] == 1
    assert (before["count_mae"], after["count_mae"]) == (1, 0)
    assert (before["count_exact"], after["count_exact"]) == (0, 1)


# -- the recorded run and a short one ------------------------------------------------------------


@pytest.fixture(scope="module")
def results():
    return records.load("cv/detr").results


def test_the_recorded_detectors_reach_what_the_page_says(results):
    shapes, digits, scratch = (results[name] for name in ("shapes", "digits", "scratch"))
    assert shapes["plain"]["ap50"] >= 0.8
    assert digits["plain"]["ap50"] >= 0.75
    assert scratch["plain"]["ap50"] < digits["plain"]["ap50"] / 2
    assert shapes["nms70"]["ap50"] >= shapes["plain"]["ap50"]


def test_no_object_weight_must_fit(results):
    light, right, heavy = (results[name] for name in ("shapes", "eos", "heavy"))
    assert right["plain"]["count_mae"] < light["plain"]["count_mae"] / 2
    assert right["plain"]["count_exact"] > light["plain"]["count_exact"]
    gain = [one["nms50"]["ap50"] - one["plain"]["ap50"] for one in (light, right)]
    assert gain[1] < gain[0] / 2
    assert light["plain"]["count_bias"] > 1
    assert heavy["plain"]["count_bias"] < 0
    assert right["plain"]["count_exact"] < 0.5 < 0.9 < right["nms50"]["count_exact"]
    assert light["plain"]["count_bias"] == light["plain"]["count_mae"]  # never too few
    assert right["plain"]["ap50"] > max(one["plain"]["ap50"] for one in (light, heavy))


def test_every_object_of_the_test_is_matched_once(results):
    slots = results["eos"]["slots"]
    assert sum(slot["count"] for slot in slots.values()) == results["eos"]["objects"]


def test_a_rate_of_zero_leaves_the_backbone_as_it_is():
    batch = scenes(shapes_scene, np.random.default_rng(5), 2)
    for rate in (0.0, 1.0):
        model = small_detr(3, 3)
        before = [p.clone() for p in model.backbone.parameters()]
        train(model, lambda: batch, steps=2, backbone_lr=rate)
        same = map(torch.equal, before, model.backbone.parameters())
        assert all(same) == (rate == 0)


def test_eight_scenes_by_heart():
    images, targets = scenes(shapes_scene, np.random.default_rng(5), 8)
    model = small_detr(3, 3)
    history = train(model, lambda: (images, targets), steps=150, lr=2e-3)
    assert history[-1]["loss"] < history[0]["loss"] / 4
    assert score(detect(model, images), targets)["ap50"] > 0.9


# -- bad input -----------------------------------------------------------------------------------

BOX = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
DET = {"boxes": BOX.numpy(), "scores": [0.5], "labels": [0]}
BAD = {
    r"b must have the shape \(\.\.\., 4\), got \(2, 3\)": lambda: box_cxcywh_to_xyxy(
        torch.zeros(2, 3)
    ),
    r"b must be .* x0 <= x1 and y0 <= y1, got \[0\.0, 1\.0": lambda: box_area(
        torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    ),
    "a must be .* got .nan": lambda: box_iou(BOX * torch.nan, BOX),
    r"b must have the shape \(\.\.\., 4\), got \(\)": lambda: box_xyxy_to_cxcywh(torch.tensor(1.0)),
    "b must be .* got .1.0": lambda: generalized_box_iou(BOX, 1 - BOX),
    r"a and b must have the same shape, got \(\(1, 4\), \(2, 4\)\)": lambda: paired_giou(
        BOX, BOX.repeat(2, 1)
    ),
    r"boxes \(n, 4\) need scores \(n,\), got \(\(1, 4\), \(2,\)\)": lambda: nms(
        BOX, torch.zeros(2), 0.5
    ),
    r"threshold must lie in \[0, 1\], got 2": lambda: nms(BOX, torch.zeros(1), 2.0),
    r"cost must have the shape \(n, m\), got \(3,\)": lambda: linear_sum_assignment(np.zeros(3)),
    "cost must be finite, got nan": lambda: linear_sum_assignment(np.full((2, 2), np.nan)),
    "cost must be finite, got inf": lambda: greedy_assignment(np.full((2, 2), np.inf)),
    r"more rows than columns, got \(3, 2\)": lambda: assignment_with_potentials(np.zeros((3, 2))),
    r"costs must be >= 0 and not all 0, got \(-1": lambda: HungarianMatcher(-1),
    r"costs must be >= 0 and not all 0, got \(0, 0, 0\)": lambda: HungarianMatcher(0, 0, 0),
    r"outputs lack \['pred_boxes'\]": lambda: HungarianMatcher()(
        {"pred_logits": torch.zeros(1, 2, 3)}, []
    ),
    r"outputs must be \(B, N, K \+ 1\) and \(B, N, 4\)": lambda: HungarianMatcher()(
        {"pred_logits": torch.zeros(1, 2, 3), "pred_boxes": torch.zeros(1, 3, 4)}, []
    ),
    "3 images need as many targets, got 1": lambda: HungarianMatcher()(
        random_outputs(), random_targets((1,))
    ),
    r"target 0 has 2 labels, so boxes must be \(2, 4\), got \(1, 4\)": lambda: HungarianMatcher()(
        random_outputs(batch=1), [{"labels": torch.tensor([0, 1]), "boxes": BOX}]
    ),
    r"target 0: labels must lie in 0 … 4, got \[5\]": lambda: HungarianMatcher()(
        random_outputs(batch=1), [{"labels": torch.tensor([5]), "boxes": BOX}]
    ),
    r"target 0: boxes must be \(cx, cy, w, h\) in \[0, 1\], got": lambda: HungarianMatcher()(
        random_outputs(batch=1), [{"labels": torch.tensor([0]), "boxes": 64 * BOX}]
    ),
    "num_classes must be at least 1, got 0": lambda: SetCriterion(0, HungarianMatcher()),
    r"eos_coef must lie in \(0, 1\], got 0": lambda: SetCriterion(
        1, HungarianMatcher(), eos_coef=0
    ),
    "losses are ce, bbox, giou, got .*mask": lambda: SetCriterion(
        1, HungarianMatcher(), {"mask": 1.0}
    ),
    "3 classes and ∅ need 4 logits, got 6": lambda: SetCriterion(3, HungarianMatcher())(
        random_outputs(), random_targets()
    ),
    "d must be a positive multiple of 4, got 6": lambda: sine_position_encoding_2d((2, 2), 6),
    "temperature and scale must be > 0, got 0": lambda: sine_position_encoding_2d((2, 2), 8, 0),
    r"the grid must be .* got \(0, 2\)": lambda: sine_position_encoding_2d((0, 2), 8),
    "the grid must be .* torch.float32": lambda: sine_position_encoding_2d(torch.ones(2, 2), 8),
    "d_model must be a multiple of nhead, got 6, 4": lambda: MultiHeadAttention(6, 4),
    "need num_classes, num_queries, dec >= 1 and enc >= 0, got 3, 0": lambda: small_detr(3, 3, 0),
    "d_model must be a multiple of 4, got 6": lambda: DETR(ResNet((1,), (4,)), 1, d_model=6),
    r"images must be \(B, C, H, W\), floats, got \(\(3, 64, 64\)": lambda: small_detr(3, 3)(
        torch.zeros(3, 64, 64)
    ),
    r"valid must be \(1, 64, 64\) and bool, got \(\(64, 64\)": lambda: small_detr(3, 3)(
        torch.zeros(1, 3, 64, 64), torch.ones(64, 64, dtype=torch.bool)
    ),
    r"sizes must be \(3, 2\), got \(2,\)": lambda: post_process(random_outputs(), torch.ones(2)),
    r"need as many depths >= 1 as widths, got \(1, 1\), \(8,\)": lambda: ResNet((1, 1), (8,)),
    "the state is not that of a DETR of this shape": lambda: load_hf_state_dict(
        small_detr(3, 3), {"model.query_position_embeddings.weight": torch.zeros(8, 64)}
    ),
    "1 images need as many detections, got 2": lambda: average_precision([DET, DET], [DET]),
    r"iou_thresholds must lie in \(0, 1\], got \[0": lambda: average_precision([DET], [DET], [0.0]),
    r"iou_thresholds must lie in \(0, 1\], got \[\]": lambda: average_precision([DET], [DET], []),
    r"dets\[0\]: .* must have one length, got \[1, 2, 1\]": lambda: average_precision(
        [DET | {"scores": [0.5, 0.6]}], [DET]
    ),
    "max_dets must be at least 1, got 0": lambda: average_precision([DET], [DET], max_dets=0),
    r"one shape \(\.\.\., H, W, 2\), got \(\(2, 2, 2\), \(2, 2, 3\)\)": lambda: panoptic_quality(
        np.zeros((2, 2, 2), int), np.zeros((2, 2, 3), int)
    ),
    "need 1 <= low <= high <= 64, got 20 and 10": lambda: place_boxes(
        np.random.default_rng(0), 1, 20, 10
    ),
    "count must be >= 0, got -1": lambda: place_boxes(np.random.default_rng(0), -1, 10, 20),
    r"digits must be \(n, 64\) and labels \(n,\), got \(\(2, 64\), \(3,\)\)": lambda: digits_scene(
        np.zeros((2, 64), np.float32), np.zeros(3, int)
    ),
    r"a must have the shape \(n, 4\), got \(4,\)": lambda: box_iou(BOX[0], BOX),
    r"a must have the shape \(n, 4\), got \(1, 1, 4\)": lambda: generalized_box_iou(BOX[None], BOX),
    r"target 0 lacks \['labels'\], got \['boxes'\]": lambda: HungarianMatcher()(
        random_outputs(batch=1), [{"boxes": BOX}]
    ),
    r"target 0: labels must be \(m,\) and int64, got \(\(1,\), torch.float32": lambda: (
        HungarianMatcher()(random_outputs(batch=1), [{"labels": torch.zeros(1), "boxes": BOX}])
    ),
    "5 classes and ∅ need 6 logits, got 4": lambda: SetCriterion(5, HungarianMatcher())(
        random_outputs() | {"aux_outputs": [random_outputs(classes=3)]}, random_targets()
    ),
    r"dets\[0\] lacks \['scores'\]": lambda: average_precision(
        [{"boxes": [], "labels": []}], [DET]
    ),
    r"dets\[0\]: boxes must be \(n, 4\), got \(1, 2\)": lambda: average_precision(
        [DET | {"boxes": [[0.0, 1.0]]}], [DET]
    ),
    r"gts\[0\]: boxes must have x0 <= x1 and y0 <= y1, got \[1.0, 0": lambda: average_precision(
        [DET], [DET | {"boxes": [[1.0, 0.0, 0.0, 1.0]]}]
    ),
    r"dets\[0\]: labels must be whole and >= 0, got \[-1\]": lambda: average_precision(
        [DET | {"labels": [-1]}], [DET]
    ),
    r"dets\[0\]: scores must be finite, got \[nan\]": lambda: average_precision(
        [DET | {"scores": [np.nan]}], [DET]
    ),
    "an object for every hit and at least one, got 0": lambda: interpolated_ap(
        np.zeros(1, bool), 0
    ),
    r"images must be .* floats, got .* torch.uint8": lambda: small_detr(3, 3)(
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    ),
    "steps must be at least 1, got 0": lambda: train(small_detr(3, 3), list, steps=0),
    r"the grid must be \(h, w\), both >= 1, got \(-1, 2\)": lambda: sine_position_encoding_2d(
        (-1, 2), 8
    ),
    "kind must lie in 0 … 2, got 5": lambda: shape_mask(5, 3),
    "count must be at least 1, got 0": lambda: scenes(shapes_scene, np.random.default_rng(0), 0),
    "side must lie in 1 … 64, got 65": lambda: crops(shapes_scene, np.random.default_rng(0), 1, 65),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()


def test_whole_numbers_are_refused_where_halves_would_be_lost():
    with pytest.raises(TypeError, match=r"b must be floats, got torch.int64"):
        box_cxcywh_to_xyxy(torch.ones(1, 4, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"a must be floats, got torch\.int64"):
        box_iou(BOX.long(), BOX)
    with pytest.raises(TypeError, match="pred and target must be integers, got float64, int64"):
        panoptic_quality(np.zeros((2, 2, 2)), np.zeros((2, 2, 2), int))


# --- the panoptic head ---------------------------------------------------------------------------

NAMES = [  # theirs and ours
    ("conv1.conv", "enter.0.0"),
    ("conv1.norm", "enter.0.1"),
    ("conv2.conv", "enter.1.0"),
    ("conv2.norm", "enter.1.1"),
    ("output_conv", "out"),
    *((f"fpn_stages.{i}.fpn_adapter", f"adapt.{i}") for i in range(3)),
    *((f"fpn_stages.{i}.refine.conv", f"refine.{i}.0") for i in range(3)),
    *((f"fpn_stages.{i}.refine.norm", f"refine.{i}.1") for i in range(3)),
]


def renamed(state, names):
    """Return a state with the beginnings of its names replaced."""
    longest = sorted(names, key=lambda pair: -len(pair[0]))
    return {
        next(ours + key.removeprefix(his) for his, ours in longest if key.startswith(his)): value
        for key, value in state.items()
    }


@pytest.mark.parametrize("padded", [False, True])
def test_masks_are_hugging_faces(padded):
    """Their segmentation model runs; ours gets their weights and what their head was given."""
    config = copy(hugging_face()[0].config)
    config.encoder_attention_heads = config.decoder_attention_heads = 8
    config.backbone_config = copy(config.backbone_config)
    config.backbone_config.out_features = [f"stage{i}" for i in range(1, 5)]
    torch.manual_seed(0)
    theirs = DetrForSegmentation(config).eval()
    state = theirs.state_dict()
    for value in state.values():
        if value.ndim > 1:
            value.normal_(0, (3 / value[0].numel()) ** 0.5)
    fed = {}
    for name in ("bbox_attention", "mask_head"):
        getattr(theirs, name).register_forward_hook(
            lambda _, args, kwargs, out, name=name: fed.update({name: (args, kwargs, out)}),
            with_kwargs=True,
        )
    images, valid = padded_images()
    valid[1, 40:] = False  # the last row of cells
    with torch.no_grad():
        expected = theirs(images, valid.long() if padded else None).pred_masks
    look, head = AttentionMap(32, 8), MaskHead(32, 8, [24, 16, 8])
    names = [("q_proj", "W_q"), ("k_proj", "W_k")]
    look.load_state_dict(renamed(theirs.bbox_attention.state_dict(), names))
    head.load_state_dict(renamed(theirs.mask_head.state_dict(), NAMES))
    (queries, memory), given, heat = fed["bbox_attention"]
    pad = given["attention_mask"][:, 0, 0] < 0
    assert pad.any() == padded
    given = fed["mask_head"][1]
    with torch.no_grad():
        found = look(queries, memory, pad)
        masks = head(given["features"], found, given["fpn_features"])
    torch.testing.assert_close(found, heat, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(masks, expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.05


def test_a_query_spreads_one_over_all_heads_and_cells():
    pad = torch.zeros(2, 3, 4, dtype=torch.bool)
    pad[1, :, 2:] = True
    look = AttentionMap(16, 8)
    heat = look(torch.randn(2, 5, 16), torch.randn(2, 16, 3, 4), pad)
    torch.testing.assert_close(heat.sum((2, 3, 4)), torch.ones(2, 5))
    assert (heat[1, ..., 2:] == 0).all()


def test_dice_is_hugging_faces():
    logits, masks = torch.randn(4, 6, 7), (torch.rand(4, 6, 7) > 0.5).float()
    theirs = hugging_face_dice(logits.flatten(1), masks.flatten(1), num_boxes=4)
    torch.testing.assert_close(dice_loss(logits, masks).mean(), theirs)
    sure = 100 * (2 * masks - 1)
    torch.testing.assert_close(dice_loss(sure, masks), torch.zeros(4))


def test_the_pixel_goes_to_the_query_with_most_to_say():
    logits = torch.tensor([[[1.0, -1.0, 0.0]], [[0.5, 2.0, -3.0]]])
    painted = paint(logits, torch.tensor([7, 4]))
    assert painted.tolist() == [[[7, 0], [4, 1], [7, 0]]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AttentionMap(30, 8), "d_model must be a multiple of nhead, got 30, 8"),
        (
            lambda: AttentionMap(16, 8)(torch.zeros(1, 5, 16), torch.zeros(2, 16, 3, 4)),
            r"got \(1, 5, 16\) and \(2, 16, 3, 4\)",
        ),
        (
            lambda: AttentionMap(16, 8)(torch.zeros(5, 16), torch.zeros(1, 16, 3, 4)),
            r"got \(5, 16\) and",
        ),
        (lambda: MaskHead(32, 8, [3, 3]), "need 3 numbers of channels .*, got 2 and 32"),
        (lambda: MaskHead(40, 8, [3, 3, 3]), "a multiple of 16 as d_model, got 3 and 40"),
        (lambda: MaskHead(32, 4, [3, 3, 3]), r"d_model \+ nhead must be a multiple of 8, got 36"),
        (
            lambda: dice_loss(torch.zeros(2, 3), torch.zeros(2, 4)),
            r"one shape .*got \(2, 3\) and \(2, 4\)",
        ),
        (lambda: dice_loss(torch.zeros(1, 3), torch.full((1, 3), 255.0)), r"lie in \[0, 1\]"),
        (lambda: paint(torch.zeros(2, 3), torch.zeros(2)), r"got \(2, 3\) and \(2,\)"),
        (lambda: paint(torch.zeros(2, 3, 4), torch.zeros(3)), r"got \(2, 3, 4\) and \(3,\)"),
    ],
)
def test_what_makes_no_mask_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_squares_have_the_sides_that_were_asked_for():
    boxes = np.concatenate([place_boxes(np.random.default_rng(i), 2, 5, 7) for i in range(30)])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (sides[:, 0] == sides[:, 1]).all()
    assert set(sides[:, 0].tolist()) == {5, 6, 7}
