"""SFace: an aligned face becomes 128 numbers; the pipeline from a photograph to them."""

from functools import cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from .align import norm_crop
from .checks import Pixels, check_crops, check_image
from .weights import SFACE, load_block_quantized, model_file
from .yunet import detect

WIDTHS = [32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
HALVED = {3, 5, 7, 13}  # depthwise convolutions of stride 2: 112 -> 7


def fold(
    weight: Tensor,
    bias: Tensor | None,
    norm: tuple[Tensor, Tensor, Tensor, Tensor],
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer that does batch normalisation along.

    Eq. (face-recognition-fold); norm holds gamma, beta, mean and
    variance; the first axis of weight is the output.
    """
    gamma, beta, mean, var = norm
    factor = gamma / (var + eps).sqrt()
    bias = torch.zeros_like(mean) if bias is None else bias
    shape = (-1,) + (1,) * (weight.ndim - 1)
    return weight * factor.reshape(shape), (bias - mean) * factor + beta


class SFace(nn.Module):
    """A MobileNet: 27 convolutions and one matrix make 128 numbers of a face."""

    def __init__(self) -> None:
        """Make the network with random weights, normalisation folded in."""
        super().__init__()
        self.names, layers = (
            ["conv_1"],
            [nn.Conv2d(3, 32, 3, padding=1), nn.PReLU(32)],
        )
        for i, (inputs, outputs) in enumerate(pairwise(WIDTHS), 2):
            self.names += [f"conv_{i}_dw", f"conv_{i}"]
            stride = 2 if i in HALVED else 1
            layers += [
                nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs),
                nn.PReLU(inputs),
                nn.Conv2d(inputs, outputs, 1),
                nn.PReLU(outputs),
            ]
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(1024 * 7 * 7, 128)

    def forward(self, crops: Tensor) -> Float[Tensor, "b 128"]:
        """Return the embeddings of aligned faces, not yet of length 1.

        crops (B, 3, 112, 112): RGB, floats 0 to 255; the network itself computes
        (x - 127.5) / 128.

        Raises: ValueError or TypeError where shape, range or dtype is another.
        """
        check_crops(crops)
        x = (crops - 127.5) * 0.0078125
        x = self.body(x.contiguous(memory_format=torch.channels_last))
        return self.last(x.contiguous().flatten(1))

    @classmethod
    @cache
    def pretrained(cls) -> "SFace":
        """Return the network with the weights of OpenCV's model zoo.

        Raises: FileNotFoundError or ValueError as `model_file`.
        """
        stored = load_block_quantized(model_file(SFACE))
        net = cls().eval()

        def norm(name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            parts = ("gamma", "beta", "moving_mean", "moving_var")
            gamma, beta, mean, var = (stored[f"{name}_{part}"] for part in parts)
            return gamma, beta, mean, var

        convs, slopes = list(net.body)[::2], list(net.body)[1::2]
        for name, conv, slope in zip(net.names, convs, slopes, strict=True):
            weight = stored[f"{name}_conv2d_weight"]
            weight, bias = fold(weight, None, norm(f"{name}_batchnorm"), 1e-3)
            conv.load_state_dict({"weight": weight, "bias": bias})
            weight = stored[f"{name}_relu_gamma"].flatten()
            slope.load_state_dict({"weight": weight})
        weight, bias = stored["pre_fc1_weight"], stored["pre_fc1_bias"]
        one, zero = torch.ones(1024), torch.zeros(1024)
        factor, shift = fold(one, zero, norm("bn1"), 2e-5)  # before the matrix
        factor, shift = (each.repeat_interleave(49) for each in (factor, shift))
        weight, bias = weight * factor, bias + weight @ shift
        weight, bias = fold(weight, bias, norm("fc1"), 2e-5)
        net.last.load_state_dict({"weight": weight, "bias": bias})
        for conv in convs:
            conv.to(  # type: ignore[call-overload]
                memory_format=torch.channels_last,
            )
        return net.requires_grad_(False)


@torch.no_grad()
def embed(crops: Pixels, net: SFace | None = None) -> Float[np.ndarray, "b 128"]:
    """Return unit vectors for aligned faces.

    crops (B, 112, 112, 3): uint8 RGB, 0 to 255, as `norm_crop` makes them.

    Raises: ValueError or TypeError unless every crop is an image of 112 x 112.
    """
    if not len(crops):
        raise ValueError("crops must hold at least one image, got none")
    for crop in crops:
        if check_image(crop).shape != (112, 112, 3):
            raise ValueError(f"crops must be 112 x 112 x 3, got {crop.shape}")
    batch = np.stack(crops)
    x = torch.tensor(batch).permute(0, 3, 1, 2).float()
    return normalize((net or SFace.pretrained())(x)).numpy()


def main_face(img: Pixels) -> Float[np.ndarray, "15"]:
    """Return the row of `detect` whose box is largest.

    img: uint8 RGB (H, W, 3), 0 to 255.

    Raises: ValueError where there is no face, and as `detect`.
    """
    faces = detect(img)
    if not len(faces):
        raise ValueError("no face found in img")
    return faces[np.argmax(faces[:, 2] * faces[:, 3])]


def embed_photo(img: Pixels) -> Float[np.ndarray, "128"]:
    """Detect, align, embed: the unit vector of the largest face.

    img: uint8 RGB (H, W, 3), 0 to 255.

    Raises: ValueError where there is no face, and as `detect`.
    """
    landmarks = main_face(img)[4:14].reshape(5, 2)
    return embed([norm_crop(img, landmarks)])[0]
