"""Digits at sizes that training has not seen; windows of one photo-sized map; four ways to pool."""

from collections.abc import Callable
from functools import partial
from math import sqrt
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snippets.common.data import small_digits, split
from snippets.cv.spatial_pyramid_pooling import SpatialPyramidPooling, pool_pyramid, roi_spp

INPUTS = {
    "train": 1297,
    "test": 500,
    "seeds": [0, 1, 2, 3, 4],
    "steps": 300,
    "batch": 64,
    "rate": 3e-3,
    "levels": [1, 2, 4],
    "trained": [8, 12],
    "sizes": [6, 7, 8, 9, 10, 11, 12, 14, 16],
    "image": [480, 640],
    "windows": [1, 10, 100, 200],
    "crop": 224,
    "repeats": 5,
    "maps": [[1, 256, 20, 20], [1, 512, 13, 13], [8, 512, 13, 13], [1, 512, 40, 40]],
}
CHEAP = {"seeds": [0], "sizes": [8, 10], "windows": [], "maps": []}
TOLERANCE = 0.02


def resize(images: Tensor, size: int) -> Tensor:
    """Return square images (N, 1, size, size)."""
    return F.interpolate(images, (size, size), mode="bilinear", align_corners=False)


def network(head: nn.Module, length: int) -> nn.Sequential:
    """Return two convolutions that keep the size, a head that forgets it, and a classifier."""
    trunk = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*trunk, head, nn.Linear(length, 10))


def train(
    model: nn.Sequential,
    x: Tensor,
    y: Tensor,
    sizes: list[int],
    **how: Any,
) -> None:
    """Fit to batches whose size changes at every step, the weights do not."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=how["rate"])
    drawn = torch.Generator().manual_seed(how["seed"])
    for step in range(how["steps"]):
        rows = torch.randint(len(x), (how["batch"],), generator=drawn)
        logits = model(resize(x[rows], sizes[step % len(sizes)]))
        loss = F.cross_entropy(logits, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def accuracy(model: nn.Sequential, x: Tensor, y: Tensor) -> float:
    """Return the share of right answers in per cent."""
    with torch.no_grad():
        return round(100 * (model(x).argmax(1) == y).double().mean().item(), 2)


def digits(inputs: dict[str, Any]) -> dict[str, Any]:
    """Train four networks per seed; test them at every size, the flat one after resizing."""
    images, labels = small_digits()
    rows = split(len(images), inputs["train"], inputs["test"])
    x, y = torch.tensor(images).view(-1, 1, 8, 8) / 16, torch.tensor(labels)
    pyramid, single = inputs["levels"], [inputs["trained"][0]]
    heads: dict[str, tuple[Callable[[], nn.Module], int, list[int]]] = {
        "spp": (partial(SpatialPyramidPooling, pyramid), 21 * 32, inputs["trained"]),
        "spp_one_size": (partial(SpatialPyramidPooling, pyramid), 21 * 32, single),
        "global_max": (partial(SpatialPyramidPooling, [1]), 32, inputs["trained"]),
        "flatten": (nn.Flatten, 8 * 8 * 32, single),
    }
    how = {key: inputs[key] for key in ("steps", "batch", "rate")}
    found: dict[str, Any] = {name: {f"s{s}": [] for s in inputs["sizes"]} for name in heads}
    for seed in inputs["seeds"]:
        for name, (head, length, sizes) in heads.items():
            torch.manual_seed(seed)
            model = network(head(), length)
            train(model, x[rows[0]], y[rows[0]], sizes, seed=seed, **how)
            for size in inputs["sizes"]:
                test = resize(x[rows[1]], size)
                if name == "flatten":
                    test = resize(test, 8)
                found[name][f"s{size}"].append(accuracy(model, test, y[rows[1]]))
    return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Return mean and standard error over the seeds of every cell."""
    means: dict[str, Any] = {}
    for name, row in found.items():
        means[name] = {}
        for size, values in row.items():
            cell = torch.tensor(values).double()
            error = cell.std().item() / sqrt(len(values))
            means[name][size] = {"mean": round(cell.mean().item(), 2), "error": round(error, 2)}
    return means


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the least CPU time of a call."""
    times = []
    for _ in range(repeats):
        start = process_time()
        call()
        times.append(process_time() - start)
    return min(times)


def trunk() -> nn.Sequential:
    """Return five convolutions of total stride 16, about as large as the paper's ZF-5."""
    return nn.Sequential(
        *(nn.Conv2d(3, 96, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        *(nn.Conv2d(96, 256, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
    )


def boxes(count: int, height: int, width: int) -> Tensor:
    """Return random windows (count, 4) that are at least 32 pixels wide and high."""
    drawn = torch.Generator().manual_seed(0)
    size = torch.rand(count, 2, generator=drawn) * torch.tensor([width - 32.0, height - 32.0]) + 32
    corner = torch.rand(count, 2, generator=drawn) * (torch.tensor([width, height]) - size)
    return torch.cat([corner, corner + size], 1)


def crop_each(
    model: nn.Module,
    image: Tensor,
    windows: Tensor,
    size: int,
) -> list[Tensor]:
    """Cut every window out, warp it, convolve it by itself, as R-CNN does."""
    found = []
    for x1, y1, x2, y2 in windows.long().tolist():
        crop = image[..., y1:y2, x1:x2]
        warped = F.interpolate(crop, (size, size), mode="bilinear")
        found.append(model(warped))
    return found


def sharing(inputs: dict[str, Any]) -> dict[str, Any]:
    """Time one convolution for all windows against one for each."""
    if not inputs["windows"]:
        return {}
    model, (height, width) = trunk(), inputs["image"]
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    repeats = inputs["repeats"]
    found: dict[str, Any] = {"parameters": sum(p.numel() for p in model.parameters()), "ratio": {}}
    with torch.no_grad():
        feat = model(image)
        once = seconds(lambda: model(image), repeats)
        few = boxes(8, height, width)
        each = seconds(lambda: crop_each(model, image, few, inputs["crop"]), repeats) / 8
        for count in inputs["windows"]:
            some = boxes(count, height, width)
            pooled = seconds(partial(roi_spp, feat, some, 16, (1, 2, 3, 6)), repeats)
            found["ratio"][f"w{count}"] = round(count * each / (once + pooled), 1)
    found["map"] = list(feat.shape)
    found["once_in_windows"] = round(once / each, 2)
    found["pool_share"] = round(pooled / (once + pooled), 3)
    found["pool_in_windows"] = round(pooled / count / each, 4)
    return found


def side_by_side(x: Tensor) -> Tensor:
    """Pool with 5, 9 and 13, each from x."""
    return torch.cat([x, *(F.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13))], 1)


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "spp": side_by_side,
    "cascade": partial(pool_pyramid, separable=False),
    "separable": pool_pyramid,
    "doubling": partial(pool_pyramid, doubling=True),
}


def speed(inputs: dict[str, Any]) -> dict[str, Any]:
    """Time every way in both layouts, in units of the fastest at that shape."""
    layouts = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
    found: dict[str, Any] = {}
    for shape in inputs["maps"]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        times: dict[str, dict[str, float]] = {}
        with torch.no_grad():
            for layout, memory_format in layouts.items():
                y = x.contiguous(memory_format=memory_format)  # type: ignore[call-overload]
                times[layout] = {
                    way: seconds(partial(pool, y), 2 * inputs["repeats"])
                    for way, pool in WAYS.items()
                }
        unit = min(min(row.values()) for row in times.values())
        key = "x".join(map(str, shape))
        found[key] = {
            layout: {way: round(t / unit, 2) for way, t in row.items()}
            for layout, row in times.items()
        }
    return found


def run(**inputs: Any) -> dict[str, Any]:
    """Train, test and time everything."""
    torch.set_num_threads(1)
    found = {"digits": digits(inputs), "sharing": sharing(inputs), "speed": speed(inputs)}
    if len(inputs["seeds"]) > 1:
        found["accuracy"] = summary(found["digits"])
    return found
