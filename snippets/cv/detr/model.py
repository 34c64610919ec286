"""The detector: attention with positions on queries and keys, two stacks, two heads.

Left out: dropout, the mask head.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .boxes import box_cxcywh_to_xyxy
from .checks import check_outputs, check_valid
from .positions import sine_position_encoding_2d

Sublayer = Callable[[Tensor], Tensor]


class MultiHeadAttention(nn.Module):
    """Attention whose queries, keys and values may come from three places."""

    def __init__(self, d_model: int, nhead: int) -> None:
        """Make the four projections.

        Raises:
            ValueError: d_model is no multiple of nhead.
        """
        super().__init__()
        if nhead < 1 or d_model % nhead:
            raise ValueError(
                f"d_model must be a multiple of nhead, got {d_model}, {nhead}",
            )
        self.nhead = nhead
        self.W_q = nn.Linear(d_model, d_model)
        self.W_k = nn.Linear(d_model, d_model)
        self.W_v = nn.Linear(d_model, d_model)
        self.W_o = nn.Linear(d_model, d_model)

    def heads(self, x: Tensor) -> Float[Tensor, "b heads l dk"]:
        """Give each head its part of the last axis."""
        return x.unflatten(-1, (self.nhead, -1)).transpose(-3, -2)

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        pad: Tensor | None = None,
    ) -> Float[Tensor, "b lq d"]:
        """Let (b, lq, d) look at (b, lk, d) except where pad (b, lk) is True."""
        q, k = self.heads(self.W_q(q)), self.heads(self.W_k(k))
        v = self.heads(self.W_v(v))
        seen = None if pad is None else ~pad[:, None, None]
        out = F.scaled_dot_product_attention(q, k, v, seen)
        return self.W_o(out.transpose(1, 2).flatten(-2))

    def weights(self, q: Tensor, k: Tensor) -> Float[Tensor, "b heads lq lk"]:
        """Return where the queries look; the fused operator does not say."""
        q, k = self.heads(self.W_q(q)), self.heads(self.W_k(k))
        return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)


def feed_forward(d_model: int, ffn: int) -> nn.Sequential:
    """Return two linear layers with a ReLU between them."""
    return nn.Sequential(
        nn.Linear(d_model, ffn),
        nn.ReLU(),
        nn.Linear(ffn, d_model),
    )


class EncoderLayer(nn.Module):
    """Cells of the feature map look at each other."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        ffn: int,
        pre_norm: bool = False,
    ) -> None:
        """Make attention, feed-forward net and two norms."""
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, nhead)
        self.ffn = feed_forward(d_model, ffn)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))

    def attend(self, x: Tensor, pos: Tensor, pad: Tensor | None) -> Tensor:
        """Add positions to queries and keys, not to values."""
        return self.self_attn(x + pos, x + pos, x, pad)

    def forward(
        self,
        x: Tensor,
        pos: Tensor,
        pad: Tensor | None = None,
    ) -> Float[Tensor, "b l d"]:
        """Return x (b, l, d) after both sublayers; pos (l, d) or (b, l, d)."""
        if self.pre_norm:
            x = x + self.attend(self.norms[0](x), pos, pad)
            return x + self.ffn(self.norms[1](x))
        x = self.norms[0](x + self.attend(x, pos, pad))
        return self.norms[1](x + self.ffn(x))


class DecoderLayer(nn.Module):
    """Queries look at each other, then at the picture."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        ffn: int,
        pre_norm: bool = False,
    ) -> None:
        """Make two attentions, feed-forward net and three norms."""
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, nhead)
        self.cross_attn = MultiHeadAttention(d_model, nhead)
        self.ffn = feed_forward(d_model, ffn)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        pos: Tensor,
        query_pos: Tensor,
        pad: Tensor | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Return tgt (b, n, d) after three sublayers; memory (b, l, d)."""

        def look(x: Tensor) -> Tensor:
            return self.self_attn(x + query_pos, x + query_pos, x)

        def read(x: Tensor) -> Tensor:
            return self.cross_attn(x + query_pos, memory + pos, memory, pad)

        sublayers: list[Sublayer] = [look, read, self.ffn]
        for norm, sublayer in zip(self.norms, sublayers, strict=True):
            x = norm(tgt) if self.pre_norm else tgt
            x = tgt + sublayer(x)
            tgt = x if self.pre_norm else norm(x)
        return tgt


class DETR(nn.Module):
    """A backbone, an encoder, a decoder with object queries, and two heads.

    The backbone turns (B, C, H, W) into (B, backbone.channels, h, w).
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        num_queries: int = 100,
        d_model: int = 256,
        nhead: int = 8,
        enc: int = 6,
        dec: int = 6,
        ffn: int = 2048,
        pre_norm: bool = False,
        aux: bool = True,
        temperature: float | int = 10000,
    ) -> None:
        """Make all parts; ∅ is the last of num_classes + 1 logits.

        Raises:
            ValueError: a count is below 1 (enc may be 0), or d_model does not
                split into heads or by 4.
        """
        super().__init__()
        if min(num_classes, num_queries, dec) < 1 or enc < 0:
            raise ValueError(
                "need num_classes, num_queries, dec >= 1 and enc >= 0, got "
                f"{num_classes}, {num_queries}, {dec} and {enc}, each a count",
            )
        if d_model % 4:
            raise ValueError(f"d_model must be a multiple of 4, got {d_model}")
        self.aux, self.temperature = aux, temperature
        self.backbone = backbone
        channels: Any = backbone.channels
        self.project = nn.Conv2d(channels, d_model, 1)
        sizes = d_model, nhead, ffn, pre_norm
        self.encoder = nn.ModuleList(EncoderLayer(*sizes) for _ in range(enc))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes) for _ in range(dec))
        for weight in (*self.encoder.parameters(), *self.decoder.parameters()):
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight)
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model)
        self.query_pos = nn.Embedding(num_queries, d_model)
        self.classes = nn.Linear(d_model, num_classes + 1)
        self.boxes = nn.Sequential(
            nn.Linear(d_model, d_model),
            nn.ReLU(),
            nn.Linear(d_model, d_model),
            nn.ReLU(),
            nn.Linear(d_model, 4),
        )

    def encode(
        self,
        images: Tensor,
        valid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return memory (B, hw, d), positions and padding (B, hw)."""
        x = self.project(self.backbone(images))
        h, w = x.shape[-2:]
        pad, grid = None, torch.ones(h, w, dtype=torch.bool, device=x.device)
        if valid is not None:
            small = F.interpolate(valid[:, None].float(), (h, w))
            grid = small[:, 0].bool()
            pad = ~grid.flatten(1)
        pos = sine_position_encoding_2d(grid, x.shape[1], self.temperature)
        pos = pos.flatten(-3, -2)
        x = x.flatten(2).mT
        for layer in self.encoder:
            x = layer(x, pos, pad)
        return self.encoder_norm(x), pos, pad

    def heads(self, x: Tensor) -> dict[str, Tensor]:
        """Return logits and boxes of decoded queries (B, N, d)."""
        return {
            "pred_logits": self.classes(x),
            "pred_boxes": self.boxes(x).sigmoid(),
        }

    def forward(self, images: Tensor, valid: Tensor | None = None) -> dict:
        """Detect in images (B, C, H, W); valid (B, H, W) is False on padding.

        Raises:
            ValueError: images are not (B, C, H, W), or valid does not fit them.
        """
        if images.ndim != 4 or not images.is_floating_point():
            found = tuple(images.shape), images.dtype
            raise ValueError(f"images must be (B, C, H, W), floats, got {found}")
        if valid is not None:
            check_valid(valid, images)
        memory, pos, pad = self.encode(images, valid)
        query_pos = self.query_pos.weight
        x = query_pos.new_zeros(len(images), *query_pos.shape)
        layers = []
        for layer in self.decoder:
            x = layer(x, memory, pos, query_pos, pad)
            layers.append(self.decoder_norm(x))  # a copy: x itself goes on
        earlier = [self.heads(y) for y in layers[:-1]] if self.aux else []
        return self.heads(layers[-1]) | {"aux_outputs": earlier}


def post_process(outputs: dict, sizes: Tensor) -> list[dict[str, Tensor]]:
    """Return scores, labels and corners in pixels of each image, one per query.

    ∅ is left out before the best class is taken; sizes (B, 2) are heights and
    widths of the pictures without padding.

    Raises:
        ValueError: outputs or sizes do not fit.
    """
    check_outputs(outputs)
    logits, boxes = outputs["pred_logits"], outputs["pred_boxes"]
    if sizes.shape != (len(logits), 2):
        raise ValueError(
            f"sizes must be ({len(logits)}, 2), got {tuple(sizes.shape)}",
        )
    scores, labels = logits.softmax(-1)[..., :-1].max(-1)
    scale = sizes.flip(-1).repeat(1, 2)[:, None].to(boxes.dtype)
    corners = box_cxcywh_to_xyxy(boxes) * scale
    return [
        {"scores": s, "labels": c, "boxes": b}
        for s, c, b in zip(scores, labels, corners, strict=True)
    ]
