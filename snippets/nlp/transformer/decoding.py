"""From logits to a sequence: greedy and beam search, with or without a cache of keys and values."""

from itertools import chain

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .attention import KVCache
from .checks import check_at_least
from .model import LayerCache, Transformer


def _next_logp(
    model: Transformer,
    tokens: Tensor,
    mem: Tensor,
    mem_mask: Tensor,
    caches: list[LayerCache] | None,
) -> Float[Tensor, "b v"]:
    new = tokens if caches is None else tokens[:, -1:]
    return model.decode(new, mem, mem_mask, caches)[:, -1].log_softmax(dim=-1)


def length_penalty(length: Tensor, alpha: float) -> Tensor:
    """Return what a log-probability is divided by, Eq. (transformer-penalty)."""
    return ((5 + length) / 6) ** alpha


@torch.no_grad()
def generate(
    model: Transformer,
    src: Int[Tensor, "b n"],
    bos: int,
    eos: int,
    max_len: int,
    cache: bool = True,
    beam: int = 1,
    alpha: float = 0.6,
) -> Int[Tensor, "b m"]:
    """Return the best sequence found for each source, padded behind eos.

    ``beam`` hypotheses are kept a source; 1 is greedy search.  With
    ``cache`` a step computes the newest token only.

    Raises:
        TypeError, ValueError: max_len or beam is no positive integer, the
            table of positions is shorter than max_len, src holds no sequence,
            or a token is not in the vocabulary.
    """
    check_at_least(1, max_len=max_len, beam=beam)
    model.check_length(max_len)
    source = model.encode(src), model.may_see(src)
    mem, mem_mask = (t.repeat_interleave(beam, dim=0) for t in source)
    caches = [(KVCache(), KVCache()) for _ in model.decoder] if cache else None
    tokens = src.new_full((len(mem), 1), bos)
    done = torch.zeros_like(tokens[:, 0], dtype=torch.bool)
    score = mem.new_full((len(src), beam), -torch.inf)  # the copies do not count
    score[:, 0] = 0
    for _ in range(max_len):
        logp = _next_logp(model, tokens, mem, mem_mask, caches)
        score, parent, token = _best(score, logp, done, model.pad)
        tokens = torch.cat([tokens[parent], token[:, None]], dim=1)
        done = done[parent] | (token == eos)
        if done.all():
            break
        for part in chain.from_iterable(caches or []):
            part.select(parent)
    length = (tokens[:, 1:] != model.pad).sum(dim=1).view_as(score)
    best = (score / length_penalty(length, alpha)).argmax(dim=1)
    return tokens.view(*score.shape, -1)[torch.arange(len(src)), best, 1:]


def _best(
    score: Float[Tensor, "b k"],
    logp: Float[Tensor, "b_k v"],
    done: Tensor,
    pad: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, row of the parent and last token of the k best."""
    b, k = score.shape
    v = logp.shape[1]
    logp[:, pad] = -torch.inf  # nobody writes padding
    padding = torch.full_like(logp, -torch.inf)
    padding[:, pad] = 0  # a finished hypothesis has one continuation, at no cost
    logp = torch.where(done[:, None], padding, logp)
    score, place = (score[..., None] + logp.view(b, k, v)).flatten(1).topk(k)
    first = torch.arange(b, device=place.device)[:, None] * k
    return score, (first + place // v).flatten(), (place % v).flatten()
