"""YuNet: one pass over a photograph finds the faces, with five landmarks each."""

from collections.abc import Sequence
from functools import cache
from itertools import count, product
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad

from .checks import Pixels, check_image
from .weights import YUNET, load_block_quantized, model_file

HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # channels per place
Level = tuple[Tensor, Tensor, Tensor, Tensor]  # the four maps of one stride, (channels, H, W)


class _Unit(nn.Sequential):
    """A pointwise convolution mixes channels, a depthwise one looks around."""

    def __init__(self, inputs: int, outputs: int) -> None:
        point = nn.Conv2d(inputs, outputs, 1)
        depth = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)
        super().__init__(point, depth)


class YuNet(nn.Module):
    """Maps of scores, boxes and landmarks at strides 8, 16 and 32."""

    def __init__(self) -> None:
        """Make the network with random weights."""
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        widths = [(16, 16), (16, 16), (16, 32), (32, 32), (32, 64)]
        widths += [(64, 64)] * 6
        self.body = nn.ModuleList(_Unit(*width) for width in widths)
        self.neck = nn.ModuleList(_Unit(64, 64) for _ in range(3))  # 32, 16, 8
        self.heads = nn.ModuleDict(
            {
                name: nn.ModuleList(_Unit(64, width) for _ in range(3))
                for name, width in HEADS.items()
            }
        )

    def forward(self, x: Tensor) -> list[Level]:
        """Return the maps per stride for one photograph.

        x (1, 3, H, W): **BGR**, floats 0 to 255; H and W multiples of 32.

        Raises: ValueError where the shape is another.
        """
        fits = x.ndim == 4 and x.shape[:2] == (1, 3)
        if not fits or any(n % 32 for n in x.shape[2:]):
            shape = tuple(x.shape)
            raise ValueError(f"x must be (1, 3, 32 h, 32 w), got {shape}")
        x = self.body[0](self.stem(x).relu()).relu()
        found = []
        for i, unit in enumerate(self.body[1:], 1):
            if i in (1, 5, 7, 9):
                x = max_pool2d(x, 2)
            x = unit(x).relu()
            if i in (6, 8, 10):
                found.append(x)
        return self._read(found)

    def _read(self, found: list[Tensor]) -> list[Level]:
        """Hand coarse features on to finer maps, then ask all heads."""
        levels: list[Tensor] = []
        above = None
        for x, unit in zip(reversed(found), self.neck, strict=True):
            if above is not None:
                x = x + interpolate(above, scale_factor=2, mode="nearest")
            above = unit(x).relu()
            levels.insert(0, above)
        maps = []
        for i, x in enumerate(levels):
            cls, obj, box, kps = (units[i](x)[0] for units in self._units())
            maps.append((cls.sigmoid(), obj.sigmoid(), box, kps))
        return maps

    def _units(self) -> list[nn.ModuleList]:
        """Return the heads in the order of HEADS."""
        return cast(list[nn.ModuleList], list(self.heads.values()))

    @classmethod
    @cache
    def pretrained(cls) -> "YuNet":
        """Return the network with the weights of OpenCV's model zoo.

        Raises: FileNotFoundError or ValueError as `model_file`.
        """
        stored = load_block_quantized(model_file(YUNET))
        net, folded = cls().eval(), count(423, 3)

        def fill(conv: nn.Module, weight: str, bias: str) -> None:
            state = {"weight": stored[weight], "bias": stored[bias]}
            conv.load_state_dict(state)

        fill(net.stem, "420", "421")
        names = ["model0.conv2"]
        names += [f"model{i}.conv{j}" for i in range(1, 6) for j in (1, 2)]
        names = [f"backbone.{name}" for name in names]
        names += [f"neck.lateral_convs.{i}" for i in (2, 1, 0)]
        for name, unit in zip(names, [*net.body, *net.neck], strict=True):
            fill(unit[0], f"{name}.conv1.weight", f"{name}.conv1.bias")
            number = next(folded)
            fill(unit[1], f"{number}", f"{number + 1}")
        for head, units in zip(HEADS, net._units(), strict=True):
            for i, j in product(range(3), range(2)):
                name = f"bbox_head.multi_level_{head}.{i}.conv{j + 1}"
                fill(
                    list(units[i].children())[j],
                    f"{name}.weight",
                    f"{name}.bias",
                )
        return net.requires_grad_(False)


def decode(
    outputs: list[Level],
    strides: Sequence[int] = (8, 16, 32),
) -> Float[Tensor, "places 15"]:
    """Return one row per place: x, y, w, h, five (x, y), score.

    Eq. (face-recognition-decode).

    Raises: ValueError unless there are as many levels as strides.
    """
    if len(outputs) != len(strides):
        raise ValueError(
            f"{len(strides)} strides need as many levels, got {len(outputs)}",
        )
    rows = []
    for (cls, obj, box, kps), stride in zip(outputs, strides, strict=True):
        height, width = cls.shape[-2:]
        row = torch.arange(height)[:, None].expand(height, width)
        column = torch.arange(width).expand(height, width)
        place = torch.stack([column, row])
        center = (place + box[:2]) * stride
        size = box[2:].exp() * stride
        points = (place.repeat(5, 1, 1) + kps) * stride
        score = (cls * obj).sqrt()
        maps = torch.cat([center - size / 2, size, points, score])
        rows.append(maps.flatten(1).T)
    return torch.cat(rows)


def nms(boxes: Tensor, scores: Tensor, iou: float = 0.3) -> Int[Tensor, " kept"]:
    """Return the indices of boxes (n, 4) that no better one overlaps too much.

    Boxes are x, y, w, h; the best comes first.

    Raises: ValueError unless the shapes are (n, 4) and (n,) and 0 <= iou <= 1.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        shapes = f"{tuple(boxes.shape)} and {tuple(scores.shape)}"
        raise ValueError(f"boxes, scores must be (n, 4), (n,), got {shapes}")
    if not 0 <= iou <= 1:
        raise ValueError(f"iou must lie between 0 and 1, got {iou}")
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    area = boxes[:, 2] * boxes[:, 3]
    left, kept = scores.argsort(descending=True, stable=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best.item())
        corner = torch.maximum(low[left], low[best])
        sides = torch.minimum(high[left], high[best]) - corner
        shared = sides.clamp(min=0).prod(1)
        left = left[shared <= iou * (area[left] + area[best] - shared)]
    return torch.tensor(kept, dtype=torch.long)


@torch.no_grad()
def detect(
    img: Pixels,
    score: float = 0.6,
    iou: float = 0.3,
    net: YuNet | None = None,
) -> Float[np.ndarray, "faces 15"]:
    """Return the faces in img (uint8 RGB, 0 to 255), the surest first.

    Perhaps there is none.  A row: x, y, w, h, five landmarks (x, y), score, in
    pixels of img.

    Raises: ValueError or TypeError unless img is an image; ValueError unless
    score and iou lie between 0 and 1.
    """
    img = check_image(img)
    if not 0 <= score <= 1:
        raise ValueError(f"score must lie between 0 and 1, got {score}")
    height, width, _ = img.shape
    bgr = torch.tensor(img[:, :, ::-1].copy()).permute(2, 0, 1)[None].float()
    bgr = pad(bgr, (0, -width % 32, 0, -height % 32))  # black, right and below
    rows = decode((net or YuNet.pretrained())(bgr))
    rows = rows[rows[:, 14] >= score]
    return rows[nms(rows[:, :4], rows[:, 14], iou)].double().numpy()
