"""The Transformer and what it replaced, each formula a function.

Symbols: n, lq, lk, length of a sequence, of the queries, of the keys; d or d_model, width; h or
n_heads, heads (in the recurrent cells: the state); d_k, d_v, width of a head's keys and values;
d_ff, width inside the feed-forward network; N or n_layers, layers; V, vocabulary; x_t, input at
time t; Q, K, V, queries, keys, values; PE, table of positions; ω_i, frequency of channel pair i.

Left out: accelerators, mixed precision, decoder-only models, subword vocabularies.
"""

from .attention import (
    KVCache,
    MultiHeadAttention,
    causal_mask,
    online_attention,
    padding_mask,
    scaled_dot_product_attention,
)
from .decoding import generate, length_penalty
from .figures import (
    figure_attention,
    figure_flops,
    figure_gradients,
    figure_masks,
    figure_norms,
    figure_paths,
    figure_positions,
    figure_training,
)
from .model import (
    AddNorm,
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    Transformer,
    from_torch,
)
from .parameters import TABLE_3, implied_vocabulary, parameter_count
from .positions import alibi_bias, rope, rope_permutation, shift_matrix, sinusoidal
from .rnn import gru, jacobian_norms, lstm, sequential_steps, tanh_rnn
from .training import (
    exact_match,
    label_smoothed_nll,
    noam_lr,
    reverse_batch,
    train_to_reverse,
)

__all__ = [
    "TABLE_3",
    "AddNorm",
    "DecoderLayer",
    "EncoderLayer",
    "FeedForward",
    "KVCache",
    "MultiHeadAttention",
    "Transformer",
    "alibi_bias",
    "causal_mask",
    "exact_match",
    "figure_attention",
    "figure_flops",
    "figure_gradients",
    "figure_masks",
    "figure_norms",
    "figure_paths",
    "figure_positions",
    "figure_training",
    "from_torch",
    "generate",
    "gru",
    "implied_vocabulary",
    "jacobian_norms",
    "label_smoothed_nll",
    "length_penalty",
    "lstm",
    "noam_lr",
    "online_attention",
    "padding_mask",
    "parameter_count",
    "reverse_batch",
    "rope",
    "rope_permutation",
    "scaled_dot_product_attention",
    "sequential_steps",
    "shift_matrix",
    "sinusoidal",
    "tanh_rnn",
    "train_to_reverse",
]
