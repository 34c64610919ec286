"""The backbones: a ResNet with frozen normalisation, and a small one to train here.

Left out: weights trained on ImageNet, dilation.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FrozenBatchNorm2d(nn.Module):
    """Scale and shift every channel by constants that no step changes."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        """Begin as the identity, but for eps."""
        super().__init__()
        for name in ("weight", "running_var"):
            self.register_buffer(name, torch.ones(channels))
        for name in ("bias", "running_mean"):
            self.register_buffer(name, torch.zeros(channels))

    def forward(self, x: Tensor) -> Float[Tensor, "b c h w"]:
        """Return x · scale + shift."""
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


def conv_norm(c: int, d: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution without bias, then frozen normalisation."""
    conv = nn.Conv2d(c, d, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, FrozenBatchNorm2d(d))


class Residual(nn.Module):
    """Two 3 x 3 convolutions, or one between two 1 x 1, and a short cut."""

    def __init__(
        self,
        c: int,
        d: int,
        stride: int,
        bottleneck: bool,
    ) -> None:
        """Make the convolutions; the short cut has one if shapes change."""
        super().__init__()
        if bottleneck:
            e = d // 4
            plan = [(c, e, 1, 1), (e, e, 3, stride), (e, d, 1, 1)]
        else:
            plan = [(c, d, 3, stride), (d, d, 3, 1)]
        self.convs = nn.ModuleList(conv_norm(*sizes) for sizes in plan)
        same = c == d and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(c, d, 1, stride)

    def forward(self, x: Tensor) -> Float[Tensor, "b d h w"]:
        """Return the sum of both ways, rectified."""
        y = x
        for conv in self.convs[:-1]:
            y = conv(y).relu()
        return (self.convs[-1](y) + self.shortcut(x)).relu()


class ResNet(nn.Module):
    """ResNet-50 by default: stem and four stages, 32 pixels to a cell."""

    def __init__(
        self,
        depths: tuple[int, ...] = (3, 4, 6, 3),
        widths: tuple[int, ...] = (256, 512, 1024, 2048),
        stem: int = 64,
        bottleneck: bool = True,
    ) -> None:
        """Make stem and stages.

        Raises:
            ValueError: not one depth per width, or one below 1.
        """
        super().__init__()
        if len(depths) != len(widths) or min((*depths, *widths, stem)) < 1:
            raise ValueError(
                "need as many depths >= 1 as widths, "  # one each
                f"got {depths}, {widths}",
            )
        self.channels = widths[-1]
        self.stem = conv_norm(3, stem, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.ModuleList()
        for (c, d), depth in zip(
            pairwise((stem, *widths)),
            depths,
            strict=True,
        ):
            first = Residual(c, d, 2 if self.stages else 1, bottleneck)
            rest = [Residual(d, d, 1, bottleneck) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(first, *rest))

    def forward(self, x: Tensor) -> Float[Tensor, "b c h w"]:
        """Return the last stage's features."""
        x = self.pool(self.stem(x).relu())
        for stage in self.stages:
            x = stage(x)
        return x


class SmallBackbone(nn.Sequential):
    """Six convolutions, 8 pixels to a cell, small enough for one core."""

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, ...] = (16, 32, 64),
    ) -> None:
        """Give every width two convolutions, the first with stride 2."""
        layers: list[nn.Module] = []
        for c, d in pairwise((in_channels, *widths)):
            for inside, stride in ((c, 2), (d, 1)):
                conv = nn.Conv2d(inside, d, 3, stride, 1, bias=False)
                layers += [conv, nn.BatchNorm2d(d), nn.ReLU()]
        super().__init__(*layers)
        self.channels = widths[-1]
