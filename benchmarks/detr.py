"""Assignments against scipy, boxes against shapely, AP against pycocotools, the net against HF."""

import io
from contextlib import redirect_stdout

import numpy as np
import shapely
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment as scipys
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from snippets.cv.detr import (
    DETR,
    ResNet,
    average_precision,
    generalized_box_iou,
    linear_sum_assignment,
    load_hf_state_dict,
)


def corners(n, seed):
    ends = torch.rand(2, n, 2, generator=torch.Generator().manual_seed(seed))
    return torch.cat([ends.amin(0), ends.amax(0)], 1)


def shapely_giou(a, b):
    first, second = shapely.box(*a.T.numpy())[:, None], shapely.box(*b.T.numpy())[None]
    either = shapely.union(first, second)
    inter = shapely.area(shapely.intersection(first, second))
    union, hull = shapely.area(either), shapely.area(shapely.envelope(either))
    return inter / union - (hull - union) / hull


def pictures(images, seed):
    """Detections and truth of random pictures, whole pixels."""
    source = np.random.default_rng(seed)
    dets, gts = [], []
    for _ in range(images):
        n = source.integers(1, 9)
        corner = source.integers(0, 200, (n, 2))
        truth = np.hstack([corner, corner + source.integers(10, 80, (n, 2))]).astype(float)
        labels = source.integers(0, 5, n)
        boxes = np.repeat(truth, 4, 0) + source.integers(-4, 5, (4 * n, 4))
        gts.append({"boxes": truth, "labels": labels})
        dets.append({"boxes": boxes, "scores": source.random(4 * n), "labels": labels.repeat(4)})
    return dets, gts


def coco_ap(truth, found):
    with redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()


def coco_files(dets, gts):
    """Write the pictures as pycocotools wants them."""

    def row(i, box, label):
        x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
        return {"image_id": i, "category_id": int(label), "bbox": [x, y, w, h], "area": w * h}

    objects = [
        row(i, *pair)
        for i, gt in enumerate(gts)
        for pair in zip(gt["boxes"], gt["labels"], strict=True)
    ]
    truth = {
        "images": [{"id": i} for i in range(len(gts))],
        "categories": [{"id": c} for c in range(5)],
        "annotations": [one | {"id": k + 1, "iscrowd": 0} for k, one in enumerate(objects)],
    }
    found = [
        row(i, box, label) | {"score": float(score)}
        for i, det in enumerate(dets)
        for box, label, score in zip(det["boxes"], det["labels"], det["scores"], strict=True)
    ]
    return truth, found


def detectors():
    """Two detectors with the same weights."""
    config = DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=ResNetConfig(
            depths=[2, 2, 2, 2],
            hidden_sizes=[64, 128, 256, 512],
            layer_type="basic",
            out_features=["stage4"],
        ),
        auxiliary_loss=False,
        dropout=0.0,
        encoder_layers=3,
        decoder_layers=3,
    )
    theirs = DetrForObjectDetection(config).eval()
    backbone = ResNet((2, 2, 2, 2), (64, 128, 256, 512), 64, False)
    ours = DETR(backbone, config.num_labels, enc=3, dec=3, aux=False).eval()
    load_hf_state_dict(ours, theirs.state_dict())
    return ours, theirs


def cases():
    torch.set_num_threads(1)
    for n, m, target in ((10, 100, 40), (30, 100, 40), (100, 100, 150)):
        cost = np.random.default_rng(0).random((n, m))
        yield (
            f"linear_sum_assignment {n} x {m} / scipy",
            lambda cost=cost: linear_sum_assignment(cost),
            lambda cost=cost: scipys(cost),
            target,
        )
    a, b = corners(100, 0), corners(100, 1)
    yield (
        "generalized_box_iou 100 x 100 / polygons of shapely",
        lambda: generalized_box_iou(a, b),
        lambda: shapely_giou(a, b),
        1 / 50,
    )
    dets, gts = pictures(150, 0)
    truth, found = coco_files(dets, gts)
    yield (
        "average_precision of 150 pictures / pycocotools",
        lambda: average_precision(dets, gts),
        lambda: coco_ap(truth, found),
        1,
    )
    ours, theirs = detectors()
    image = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))

    def forward(model):
        with torch.no_grad():
            model(image)

    yield (
        "DETR forward, 256 x 256, ResNet-18 / transformers, equal weights",
        lambda: forward(ours),
        lambda: forward(theirs),
        1.05,
    )
