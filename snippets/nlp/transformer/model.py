"""The encoder–decoder of "Attention Is All You Need", and torch's weights under our names.

Left out: learned positions, dropout inside attention and feed-forward (the paper has none there).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .attention import KVCache, MultiHeadAttention, causal_mask
from .checks import check_at_least, check_numbers
from .positions import sinusoidal


class FeedForward(nn.Module):
    """Two linear layers with a ReLU between, Eq. (transformer-ffn)."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        """Make the two layers.

        Raises:
            TypeError, ValueError: a width is not a positive integer.
        """
        super().__init__()
        check_at_least(1, d_model=d_model, d_ff=d_ff)
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Transform each position by itself."""
        return self.down(torch.relu(self.up(x)))


class AddNorm(nn.Module):
    """Residual and layer norm: Eq. (transformer-post), Eq. (transformer-pre)."""

    def __init__(self, d_model: int, dropout: float, norm_first: bool) -> None:
        """Make the norm.

        Raises:
            TypeError, ValueError: d_model is not a positive integer.
        """
        super().__init__()
        check_at_least(1, d_model=d_model)
        self.norm, self.drop = nn.LayerNorm(d_model), nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "b n d"]:
        """Add the sublayer's output to x."""
        if self.norm_first:
            return x + self.drop(sublayer(self.norm(x)))
        return self.norm(x + self.drop(sublayer(x)))


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward network."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.1,
        norm_first: bool = False,
        *,
        fused: bool = False,
    ) -> None:
        """Make two sublayers."""
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads, fused=fused)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.add1 = AddNorm(d_model, dropout, norm_first)
        self.add2 = AddNorm(d_model, dropout, norm_first)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Mix the positions, then transform each."""
        x = self.add1(x, lambda x: self.attention(x, mask=mask))
        return self.add2(x, self.feed_forward)


LayerCache = tuple[KVCache, KVCache]


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the source, feed-forward network."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.1,
        norm_first: bool = False,
        *,
        fused: bool = False,
    ) -> None:
        """Make three sublayers."""
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads, fused=fused)
        self.cross = MultiHeadAttention(d_model, n_heads, fused=fused)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.add1 = AddNorm(d_model, dropout, norm_first)
        self.add2 = AddNorm(d_model, dropout, norm_first)
        self.add3 = AddNorm(d_model, dropout, norm_first)

    def forward(
        self,
        y: Float[Tensor, "b m d"],
        mem: Float[Tensor, "b n d"],
        mask: Tensor | None = None,
        mem_mask: Tensor | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Look at the target so far, then at the source, then transform."""
        own, other = cache if cache is not None else (None, None)
        y = self.add1(y, lambda y: self.attention(y, mask=mask, cache=own))
        y = self.add2(y, lambda y: self.cross(y, mem, mem_mask, cache=other))
        return self.add3(y, self.feed_forward)


class Transformer(nn.Module):
    """Encoder and decoder of ``n_layers`` each, from token numbers to logits.

    With ``tie`` both embeddings and the output layer are one matrix.
    """

    def __init__(
        self,
        src_vocab: int,
        tgt_vocab: int,
        d_model: int = 512,
        n_heads: int = 8,
        n_layers: int = 6,
        d_ff: int = 2048,
        dropout: float = 0.1,
        max_len: int = 512,
        pad: int = 0,
        norm_first: bool = False,
        tie: bool = True,
        *,
        fused: bool = False,
    ) -> None:
        """Make the layers.

        Raises:
            TypeError, ValueError: a size is not a positive integer, d_model is
                odd or no multiple of n_heads, tied vocabularies differ, or
                pad is no token of both.
        """
        super().__init__()
        check_at_least(1, n_layers=n_layers, max_len=max_len)
        self.d_model, self.pad = d_model, pad
        self.positions: Tensor
        self.register_buffer("positions", sinusoidal(max_len, d_model), False)
        dims = d_model, n_heads, d_ff, dropout, norm_first
        each = range(n_layers)
        encoder = [EncoderLayer(*dims, fused=fused) for _ in each]
        self.encoder = nn.ModuleList(encoder)
        decoder = [DecoderLayer(*dims, fused=fused) for _ in each]
        self.decoder = nn.ModuleList(decoder)
        norm: Any = partial(nn.LayerNorm, d_model) if norm_first else nn.Identity
        self.encoder_norm, self.decoder_norm = norm(), norm()
        self.drop = nn.Dropout(dropout)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        self._make_tables(src_vocab, tgt_vocab, tie)

    def _make_tables(self, src_vocab: int, tgt_vocab: int, tie: bool) -> None:
        check_at_least(1, src_vocab=src_vocab, tgt_vocab=tgt_vocab)
        check_numbers(min(src_vocab, tgt_vocab), pad=torch.tensor(self.pad))
        if tie and src_vocab != tgt_vocab:
            both = f"{src_vocab} and {tgt_vocab}"
            raise ValueError(f"tie needs one vocabulary, got {both}")
        d_model = self.d_model
        self.src_embedding = nn.Embedding(src_vocab, d_model)
        self.tgt_embedding = nn.Embedding(tgt_vocab, d_model)
        self.to_logits = nn.Linear(d_model, tgt_vocab, bias=False)
        for table in (self.src_embedding, self.tgt_embedding, self.to_logits):
            nn.init.normal_(table.weight, std=d_model**-0.5)
        if tie:
            self.tgt_embedding = self.src_embedding
            self.to_logits.weight = self.src_embedding.weight

    def embed(
        self,
        tokens: Int[Tensor, "b n"],
        table: nn.Embedding,
        offset: int = 0,
    ) -> Float[Tensor, "b n d"]:
        """Return embedding · √d_model + position, Eq. (transformer-embed).

        Raises:
            TypeError: the tokens are not integers.
            ValueError: they are no table, one is not in the vocabulary, or the
                sequence is longer than the table of positions.
        """
        if tokens.dim() != 2:
            shape = tuple(tokens.shape)
            raise ValueError(f"tokens need the axes batch, length, got {shape}")
        check_numbers(table.num_embeddings, tokens=tokens)
        end = offset + tokens.shape[1]
        self.check_length(end)
        x = table(tokens) * self.d_model**0.5
        return self.drop(x + self.positions[offset:end].to(x))

    def check_length(self, end: int) -> None:
        """Refuse positions behind the end of the table.

        Raises:
            ValueError: the table has fewer than ``end``.
        """
        most = len(self.positions)
        if end > most:
            raise ValueError(f"{end} positions, the table has max_len={most}")

    def encode(self, src: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """Return the encoder's output; nobody attends to padding."""
        x, mask = self.embed(src, self.src_embedding), self.may_see(src)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x)

    def may_see(self, src: Int[Tensor, "b n"]) -> Tensor:
        """Return the mask that hides the source's padding."""
        return (src != self.pad)[:, None, None]

    def decode(
        self,
        tgt: Int[Tensor, "b m"],
        mem: Float[Tensor, "b n d"],
        mem_mask: Tensor,
        caches: Sequence[LayerCache] | None = None,
    ) -> Float[Tensor, "b m v"]:
        """Return the logits after each token; ``tgt`` follows what is cached."""
        seen = caches[0][0].length if caches is not None else 0
        y = self.embed(tgt, self.tgt_embedding, seen)
        mask = causal_mask(tgt.shape[1], seen + tgt.shape[1], tgt.device)
        for i, layer in enumerate(self.decoder):
            cache = caches[i] if caches is not None else None
            y = layer(y, mem, mask, mem_mask, cache)
        return self.to_logits(self.decoder_norm(y))

    def forward(
        self,
        src: Int[Tensor, "b n"],
        tgt: Int[Tensor, "b m"],
    ) -> Float[Tensor, "b m v"]:
        """Return the logits of every next token at once (teacher forcing)."""
        return self.decode(tgt, self.encode(src), self.may_see(src))


NAMES = {
    r"(encoder|decoder)\.layers\.": r"\1.",
    r"(encoder|decoder)\.norm\.": r"\1_norm.",
    r"self_attn\.": "attention.",
    r"multihead_attn\.": "cross.",
    r"linear1\.": "feed_forward.up.",
    r"linear2\.": "feed_forward.down.",
    r"\bnorm([123])\.": r"add\1.norm.",
    r"out_proj\.": "W_o.",
}


def from_torch(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give torch's weights, or their gradients, our names.

    torch keeps the projections of queries, keys and values in one matrix.

    Raises:
        ValueError: such a matrix does not consist of three of one height.
    """
    renamed = {}
    for name, tensor in state.items():
        for theirs, ours in NAMES.items():
            name = re.sub(theirs, ours, name)
        if "in_proj_" in name:
            if len(tensor) % 3:
                raise ValueError(f"{name} needs 3 d rows, got {len(tensor)}")
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                renamed[name.replace("in_proj_", f"W_{letter}.")] = part
        else:
            renamed[name] = tensor
    return renamed
