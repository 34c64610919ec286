"""Label smoothing, the schedule with a warm-up, and a task to learn: reverse a row of digits."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .checks import check_at_least, check_numbers
from .decoding import generate
from .model import Transformer

PAD, BOS, EOS, DIGITS = 0, 1, 2, 3  # the digit 0 is token 3
VOCAB = 13


def label_smoothed_nll(
    logits: Float[Tensor, "... v"],
    t: Int[Tensor, "..."],
    eps: float = 0.1,
    ignore: int = -100,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, Eq. (transformer-smoothing).

    Raises:
        TypeError: the targets are not integers.
        ValueError: eps is outside [0, 1], shapes differ, all is ignored, or a
            target is no class.
    """
    if not 0 <= eps <= 1:
        raise ValueError(f"eps must be between 0 and 1, got {eps}")
    if logits.shape[:-1] != t.shape:
        raise ValueError(
            "logits need the targets' shape and one axis more, "
            f"got {tuple(logits.shape)} and {tuple(t.shape)}"
        )
    kept = t != ignore
    if not kept.any():
        raise ValueError(f"every target is {ignore}, which is ignored")
    check_numbers(logits.shape[-1], t=t[kept])
    logp = torch.log_softmax(logits[kept], dim=-1)
    right = logp.gather(-1, t[kept][:, None]).mean()
    return -(1 - eps) * right - eps * logp.mean()


def noam_lr(step: int, d_model: int, warmup: int) -> float:
    """Return the rate of a step, counted from 1, Eq. (transformer-noam).

    Raises:
        TypeError, ValueError: an argument is not a positive integer.
    """
    check_at_least(1, step=step, d_model=d_model, warmup=warmup)
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def reverse_batch(
    size: int,
    longest: int,
    generator: torch.Generator | None = None,
    shortest: int = 1,
) -> tuple[Int[Tensor, "b n"], Int[Tensor, "b m"]]:
    """Return rows of digits and BOS + the digits reversed + EOS, both padded.

    Raises:
        TypeError, ValueError: a size is no positive integer, shortest > longest.
    """
    check_at_least(1, size=size, shortest=shortest)
    check_at_least(shortest, longest=longest)
    draw = partial(torch.randint, generator=generator)
    lengths = draw(shortest, longest + 1, (size, 1))
    digits = draw(DIGITS, VOCAB, (size, longest))
    places = torch.arange(longest)
    src = digits.where(places < lengths, PAD)
    mirrored = src.gather(1, (lengths - 1 - places).clamp(min=0))
    mirrored = mirrored.where(places < lengths, PAD)
    start, end = torch.full((size, 1), BOS), torch.full((size, 1), PAD)
    tgt = torch.cat([start, mirrored, end], dim=1)
    return src, tgt.scatter(1, lengths + 1, EOS)


def train_to_reverse(
    model: Transformer,
    steps: int,
    longest: int = 12,
    size: int = 64,
    warmup: int = 100,
    factor: float = 0.15,
    eps: float = 0.1,
    cold: bool = False,
    generator: torch.Generator | None = None,
) -> list[float]:
    """Train by teacher forcing and return the smoothed loss of every step.

    The rate is ``factor`` times Eq. (transformer-noam); a ``cold`` start
    begins with the highest rate instead of rising to it.

    Raises:
        TypeError, ValueError: a size is not a positive integer.
    """
    check_at_least(1, steps=steps, warmup=warmup)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    losses = []
    model.train()
    for step in range(1, steps + 1):
        src, tgt = reverse_batch(size, longest, generator)
        for group in optimizer.param_groups:
            at = max(step, warmup) if cold else step
            group["lr"] = factor * noam_lr(at, model.d_model, warmup)
        loss = label_smoothed_nll(model(src, tgt[:, :-1]), tgt[:, 1:], eps, PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


def exact_match(
    model: Transformer,
    src: Int[Tensor, "b n"],
    tgt: Int[Tensor, "b m"],
    beam: int = 1,
) -> float:
    """Return the share of rows that are generated without any mistake.

    Raises:
        ValueError: src and tgt have different numbers of rows.
    """
    if len(src) != len(tgt):
        both = f"{len(src)} and {len(tgt)}"
        raise ValueError(f"src and tgt need one number of rows, got {both}")
    out = generate(model, src, BOS, EOS, tgt.shape[1] - 1, beam=beam)
    short = tgt.shape[1] - 1 - out.shape[1]
    out = torch.nn.functional.pad(out, (0, short), value=PAD)
    return (out == tgt[:, 1:]).all(dim=1).double().mean().item()
