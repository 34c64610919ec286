"""Train a small DETR on scenes, pre-train its backbone, and see what it detects."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .boxes import box_cxcywh_to_xyxy, nms
from .coco_eval import average_precision
from .criterion import SetCriterion
from .matching import HungarianMatcher
from .model import DETR, post_process
from .resnet import SmallBackbone
from .shapes_data import SIZE

Batch = tuple[Tensor, list[dict[str, Tensor]]]


def small_detr(
    channels: int,
    num_classes: int,
    num_queries: int = 8,
    seed: int = 0,
) -> DETR:
    """Return the detector of the experiments: pre-norm, 2 + 2 layers, T = 20."""
    torch.manual_seed(seed)
    return DETR(
        SmallBackbone(channels),
        num_classes,
        num_queries,
        d_model=64,
        nhead=4,
        enc=2,
        dec=2,
        ffn=128,
        pre_norm=True,
        temperature=20,
    )


def pretrain_backbone(
    backbone: SmallBackbone,
    batch: Callable[[], tuple[Tensor, Tensor]],
    classes: int,
    steps: int,
    stop: int | None = None,
    lr: float | int = 2e-3,
) -> list[float]:
    """Teach the backbone to name what one crop shows; return the losses.

    The linear classifier on the averaged features is thrown away; `stop` ends
    earlier on the same schedule.
    """
    head = nn.Linear(backbone.channels, classes)
    parameters = [*backbone.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    losses = []
    for _ in range(steps if stop is None else stop):
        images, labels = batch()
        loss = F.cross_entropy(head(backbone(images).mean((2, 3))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def train(
    model: DETR,
    batch: Callable[[], Batch],
    *,
    steps: int,
    stop: int | None = None,
    eos_coef: float | int = 0.1,
    lr: float | int = 1e-3,
    backbone_lr: float | int = 1.0,
) -> list[dict[str, float]]:
    """Run steps of AdamW with one cycle of the learning rate; return all losses.

    `stop` ends earlier on the same schedule; the backbone's rate is
    lr · backbone_lr.

    Raises:
        ValueError: steps < 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    num_classes = model.classes.out_features - 1
    criterion = SetCriterion(num_classes, HungarianMatcher(), eos_coef=eos_coef)
    own = list(model.backbone.parameters())
    ids = {id(p) for p in own}
    rest = [p for p in model.parameters() if id(p) not in ids]
    groups = [{"params": rest}, {"params": own}]
    optimizer = torch.optim.AdamW(groups, lr, weight_decay=1e-4, fused=True)
    rates = [lr, lr * backbone_lr]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, steps)
    history = []
    model.train()
    for _ in range(steps if stop is None else stop):
        images, targets = batch()
        losses = criterion(model(images), targets)
        optimizer.zero_grad()
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        history.append({name: value.item() for name, value in losses.items()})
    return history


def detect(
    model: DETR,
    images: Tensor,
    size: int = 100,
) -> list[dict[str, Tensor]]:
    """Return the detections in every picture, `size` pictures at a time."""
    model.eval()
    found = []
    with torch.no_grad():
        for part in images.split(size):
            sizes = torch.full((len(part), 2), SIZE)
            found += post_process(model(part), sizes)
    return found


def suppress(
    dets: list[dict[str, Tensor]],
    threshold: float,
) -> list[dict[str, Tensor]]:
    """Return what greedy suppression within each class leaves."""
    kept = []
    for det in dets:
        apart = 2 * SIZE * det["labels"][:, None]  # so that classes never meet
        shifted = det["boxes"] + apart
        keep = nms(shifted, det["scores"], threshold)
        kept.append({name: value[keep] for name, value in det.items()})
    return kept


def score(
    dets: list[dict[str, Tensor]],
    targets: list[dict[str, Tensor]],
) -> dict[str, float]:
    """Return AP, AP50, AP75 and how well confident detections count."""
    corners = [box_cxcywh_to_xyxy(t["boxes"]) * SIZE for t in targets]
    gts = [t | {"boxes": b} for t, b in zip(targets, corners, strict=True)]
    ap = average_precision(dets, gts)
    off = np.array(
        [
            int((det["scores"] > 0.5).sum()) - len(t["labels"])
            for det, t in zip(dets, targets, strict=True)
        ]
    )
    return {
        "ap": ap["ap"],
        "ap50": float(ap["by_threshold"][0]),
        "ap75": float(ap["by_threshold"][5]),
        "count_exact": float((off == 0).mean()),
        "count_mae": float(abs(off).mean()),
        "count_bias": float(off.mean()),
    }
