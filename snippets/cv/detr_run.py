"""A small DETR trained on drawn shapes and on real digits: losses, AP, slots and attention."""

from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snippets.common.data import small_digits, split
from snippets.cv.detr import (
    DETR,
    HungarianMatcher,
    box_cxcywh_to_xyxy,
    crops,
    detect,
    digits_scene,
    pretrain_backbone,
    scenes,
    score,
    shapes_scene,
    small_detr,
    suppress,
    train,
)
from snippets.cv.detr.shapes_data import SIZE, Scene

_STEPS = {
    "shapes": 1600,
    "eos": 1600,
    "heavy": 1600,
    "pretrain": 500,
    "digits": 2000,
    "scratch": 2000,
}
INPUTS = {
    "steps": _STEPS,
    "stop": _STEPS,
    "batch": {"shapes": 8, "eos": 8, "heavy": 8, "pretrain": 32, "digits": 8, "scratch": 8},
    "eos_coef": {"shapes": 0.1, "eos": 0.2, "heavy": 0.5, "digits": 0.2, "scratch": 0.2},
    "backbone_lr": 0.3,
    "digits": {"train": 1400, "test": 397},
    "window": 20,
    "tests": 400,
    "shown": {"shapes": 6, "eos": 6, "heavy": 0, "digits": 3, "scratch": 0},
}
CHEAP = {"stop": {"shapes": 20, "pretrain": 20}}
TOLERANCE = 1e-2
Maker = Callable[[np.random.Generator], Scene]


def windows(values: list[float], window: int) -> list[float]:
    """Return the means of whole windows of steps."""
    whole = len(values) // window * window
    return np.reshape(values[:whole], (-1, window)).mean(1).round(4).tolist()


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """Keep four decimals."""
    return {name: round(value, 4) for name, value in numbers.items()}


def pack(values: Tensor) -> str:
    """Write numbers in [0, 1] as two hexadecimal digits each."""
    return (values.clamp(0, 1) * 255).round().to(torch.uint8).numpy().tobytes().hex()


def attention(model: DETR, images: Tensor) -> Tensor:
    """Return where the last decoder layer's queries look, mean over heads, (B, N, h, w)."""
    seen: list[Tensor] = []
    layer: Any = model.decoder[-1]

    def keep(module: Any, inputs: tuple) -> None:
        seen.append(module.weights(*inputs[:2]).mean(1))

    handle = layer.cross_attn.register_forward_pre_hook(keep)
    with torch.no_grad():
        model(images)
    handle.remove()
    side = round(seen[0].shape[-1] ** 0.5)
    return seen[0].unflatten(-1, (side, side))


def pictures(model: DETR, images: Tensor, targets: list[dict], dets: list[dict]) -> list[dict]:
    """Return what is to be drawn of each picture: detections, truth, attention."""
    looks = attention(model, images)
    found = []
    for image, target, det, look in zip(images, targets, dets, looks, strict=False):
        sure = det["scores"] > 0.5
        found.append(
            {
                "scores": [round(v, 3) for v in det["scores"][sure].tolist()],
                "labels": det["labels"][sure].tolist(),
                "boxes": [[round(v, 1) for v in box] for box in det["boxes"][sure].tolist()],
                "queries": sure.nonzero()[:, 0].tolist(),
                "truth": (box_cxcywh_to_xyxy(target["boxes"]) * SIZE).round().int().tolist(),
                "truth_labels": target["labels"].tolist(),
                "attention": [pack(one / one.max()) for one in look[sure]],
                "pixels": pack(image) if len(image) == 1 else "",
            }
        )
    return found


def idea(model: DETR, images: Tensor, targets: list[dict]) -> dict[str, Any]:
    """Return what every query says of the first picture with three objects, and its match."""
    scene = next(i for i, t in enumerate(targets) if len(t["labels"]) == 3)
    with torch.no_grad():
        outputs = model(images[scene : scene + 1])
    ((queries, objects),) = HungarianMatcher()(outputs, targets[scene : scene + 1])
    p, labels = outputs["pred_logits"][0].softmax(-1).max(-1)
    boxes = box_cxcywh_to_xyxy(outputs["pred_boxes"][0]) * SIZE
    owner = dict(zip(queries.tolist(), objects.tolist(), strict=True))
    return {
        "scene": scene,
        "labels": labels.tolist(),
        "scores": [round(v, 3) for v in p.tolist()],
        "boxes": [[round(v, 1) for v in box] for box in boxes.tolist()],
        "object": [owner.get(q, -1) for q in range(len(labels))],
        "truth_labels": targets[scene]["labels"].tolist(),
        "truth": (box_cxcywh_to_xyxy(targets[scene]["boxes"]) * SIZE).round().int().tolist(),
    }


def slots(model: DETR, images: Tensor, targets: list[dict]) -> dict[str, Any]:
    """Return centre and size of the boxes each query was matched with, and how many."""
    with torch.no_grad():
        outputs = model(images)
    pairs = HungarianMatcher()(outputs, targets)
    matched = torch.zeros(outputs["pred_logits"].shape[:2], dtype=torch.bool)
    for i, (queries, _) in enumerate(pairs):
        matched[i, queries] = True
    boxes = outputs["pred_boxes"]
    return {
        f"q{q}": {
            "count": int(matched[:, q].sum()),
            "boxes": pack(boxes[matched[:, q], q][:60]),
        }
        for q in range(matched.shape[1])
    }


def fit(
    model: DETR,
    make: Maker,
    test: Maker,
    name: str,
    inputs: dict[str, Any],
    **how: float,
) -> dict[str, Any]:
    """Train and test one detector; the test comes only after the last step."""
    rng = np.random.default_rng(0)
    steps, stop = inputs["steps"][name], inputs["stop"][name]
    start = process_time()
    history = train(
        model,
        partial(scenes, make, rng, inputs["batch"][name]),
        steps=steps,
        stop=stop,
        eos_coef=inputs["eos_coef"][name],
        **how,
    )
    names = history[0] if history else {}
    found: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "history": {n: windows([one[n] for one in history], inputs["window"]) for n in names},
    }
    if stop < steps:
        return found
    found["cpu_seconds"] = round(process_time() - start, 1)
    images, targets = scenes(test, np.random.default_rng(1), inputs["tests"])
    dets = detect(model, images)
    found["plain"] = rounded(score(dets, targets))
    for threshold in (0.5, 0.7):
        found[f"nms{round(100 * threshold)}"] = rounded(score(suppress(dets, threshold), targets))
    found["objects"] = sum(len(t["labels"]) for t in targets)
    found["pictures"] = pictures(model, images[: inputs["shown"][name]], targets, dets)
    found["slots"] = slots(model, images, targets)
    found["idea"] = idea(model, images, targets)
    return found


def digits(inputs: dict[str, Any]) -> dict[str, Any]:
    """Detect real digits with and without a backbone that has seen single ones."""
    x, y = small_digits()
    seen, unseen = split(len(x), *inputs["digits"].values())
    make, test = digits_scene(x[seen], y[seen]), digits_scene(x[unseen], y[unseen])
    found: dict[str, Any] = {}
    stop = inputs["stop"]
    if "pretrain" in stop:
        model = small_detr(1, 10)
        backbone: Any = model.backbone
        one = digits_scene(x[seen], y[seen], most=1)
        rng = np.random.default_rng(2)
        start = process_time()
        losses = pretrain_backbone(
            backbone,
            partial(crops, one, rng, inputs["batch"]["pretrain"]),
            10,
            inputs["steps"]["pretrain"],
            stop["pretrain"],
        )
        found["pretrain"] = {"history": windows(losses, inputs["window"])}
        if "digits" in stop:
            found["pretrain"]["cpu_seconds"] = round(process_time() - start, 1)
            rate = inputs["backbone_lr"]
            found["digits"] = fit(model, make, test, "digits", inputs, backbone_lr=rate)
    if "scratch" in stop:
        found["scratch"] = fit(small_detr(1, 10), make, test, "scratch", inputs)
    return found


def run(**inputs: Any) -> dict[str, Any]:
    """Train and test all detectors."""
    torch.set_num_threads(1)
    make = shapes_scene
    found = {
        name: fit(small_detr(3, 3), make, make, name, inputs)
        for name in ("shapes", "eos", "heavy")
        if name in inputs["stop"]
    }
    return found | digits(inputs)
