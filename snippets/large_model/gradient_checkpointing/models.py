"""The two models that are measured: a chain of equal layers and a transformer block."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def chain(n: int, width: int = 128) -> list[nn.Module]:
    """Return ``n`` layers that keep one activation each, the tanh's result."""
    return [nn.Sequential(nn.Linear(width, width), nn.Tanh()) for _ in range(n)]


class Block(nn.Module):
    """Pre-norm transformer block of width d.

    With ``fused`` the attention is one operator, without dropout, that keeps no
    score matrix; otherwise it is written out: softmax and dropout leave s x s
    matrices behind.
    """

    def __init__(
        self,
        d: int,
        heads: int,
        dropout: float = 0.0,
        *,
        fused: bool = True,
    ) -> None:
        """Make the four weight matrices and two norms."""
        super().__init__()
        self.heads, self.dropout, self.fused = heads, dropout, fused
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Float[Tensor, "b s d"]) -> Float[Tensor, "b s d"]:
        """Add attention to the residual stream, then the MLP."""
        x = x + self._drop(self.proj(self._attend(self.qkv(self.norm1(x)))))
        return x + self._drop(self.down(F.gelu(self.up(self.norm2(x)))))

    def _drop(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.dropout:
            return x
        # as on a GPU: one byte of mask an element (F.dropout on a CPU: x.dtype)
        return torch.native_dropout(x, self.dropout, True)[0]

    def _attend(self, qkv: Float[Tensor, "b s e"]) -> Float[Tensor, "b s d"]:
        b, s, _ = qkv.shape
        q, k, v = qkv.view(b, s, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.fused:
            out = F.scaled_dot_product_attention(q, k, v)
        else:
            scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
            out = self._drop(torch.softmax(scores, dim=-1)) @ v
        return out.transpose(1, 2).reshape(b, s, -1)
