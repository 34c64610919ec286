"""Counting every parameter of the encoder–decoder, and what the paper's table says about them."""

from math import ceil, floor

from .checks import check_at_least

BASE = {
    "n_layers": 6,
    "d_model": 512,
    "d_ff": 2048,
    "n_heads": 8,
    "d_k": 64,
    "d_v": 64,
}

# Table 3 of Vaswani et al. (2017): what differs from the base model, millions of parameters.
TABLE_3: dict[str, tuple[dict[str, int], int]] = {
    "base": ({}, 65),
    "d_k = 16": ({"d_k": 16}, 58),
    "d_k = 32": ({"d_k": 32}, 60),
    "N = 2": ({"n_layers": 2}, 36),
    "N = 4": ({"n_layers": 4}, 50),
    "N = 8": ({"n_layers": 8}, 80),
    "d_model = 256": ({"d_model": 256, "d_k": 32, "d_v": 32}, 28),
    "d_model = 1024": ({"d_model": 1024, "d_k": 128, "d_v": 128}, 168),
    "d_ff = 1024": ({"d_ff": 1024}, 53),
    "d_ff = 4096": ({"d_ff": 4096}, 90),
    "big": ({"d_model": 1024, "d_ff": 4096, "n_heads": 16}, 213),
}


def parameter_count(
    vocab: int = 0,
    *,
    n_layers: int = 6,
    d_model: int = 512,
    d_ff: int = 2048,
    n_heads: int = 8,
    d_k: int = 64,
    d_v: int = 64,
    attention_bias: bool = True,
    ffn_bias: bool = True,
) -> int:
    """Count the tied encoder–decoder's parameters, Eq. (transformer-count).

    Raises:
        TypeError, ValueError: a size is not an integer of at least 1 (vocab: 0).
    """
    check_at_least(0, vocab=vocab)
    check_at_least(1, n_layers=n_layers, d_model=d_model, d_ff=d_ff)
    check_at_least(1, n_heads=n_heads, d_k=d_k, d_v=d_v)
    attention = d_model * n_heads * (2 * d_k + 2 * d_v)
    attention += attention_bias * (n_heads * (2 * d_k + d_v) + d_model)
    ffn = 2 * d_model * d_ff + ffn_bias * (d_ff + d_model)
    norm = 2 * d_model
    encoder = attention + ffn + 2 * norm
    decoder = 2 * attention + ffn + 3 * norm
    return n_layers * (encoder + decoder) + vocab * d_model


def implied_vocabulary(
    row: str,
    attention_bias: bool = True,
    ffn_bias: bool = True,
) -> tuple[int, int]:
    """Return the least and greatest vocabulary that rounds to a row's millions.

    Raises:
        ValueError: there is no such row.
    """
    if row not in TABLE_3:
        raise ValueError(f"row must be one of {', '.join(TABLE_3)}, got {row!r}")
    changes, millions = TABLE_3[row]
    sizes = {**BASE, **changes}
    core = parameter_count(
        **sizes,
        attention_bias=attention_bias,
        ffn_bias=ffn_bias,
    )
    left = millions * 1_000_000 - core
    d_model = sizes["d_model"]
    return ceil((left - 500_000) / d_model), floor((left + 500_000) / d_model)
