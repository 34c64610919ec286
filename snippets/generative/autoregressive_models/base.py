"""The chain rule: log-likelihoods, and sampling one variable after the other."""

from collections.abc import Iterator
from math import isfinite, log

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from snippets.common.checks import check_count


def check_binary(x: Tensor, dim: int | None = None) -> None:
    """Refuse what is not a batch of binary vectors, of any length without dim.

    Raises: ValueError unless x has the shape (batch, dim) and holds only 0 and 1.
    """
    if x.ndim != 2 or dim not in (None, x.shape[1]):
        length = "dim" if dim is None else dim
        raise ValueError(
            f"x must have the shape (batch, {length}), got {tuple(x.shape)}",
        )
    wrong = x[(x != 0) & (x != 1)]
    if len(wrong):
        raise ValueError(
            f"x must hold only 0 and 1, got {wrong[0].item():g}; binarise it first",
        )


def table_size(n: int) -> int:
    """Count the numbers in one table per conditional.

    Eq. (autoregressive-models-table).

    Raises: ValueError unless n is an integer >= 1.
    """
    check_count("n", n)
    return sum(2 ** (i - 1) for i in range(1, n + 1))


def all_states(n: int) -> Float[Tensor, "states n"]:
    """Return all 2^n binary vectors in float64, counting upwards.

    Raises: ValueError unless n is an integer from 1 to 20.
    """
    check_count("n", n)
    if n > 20:
        raise ValueError(
            f"n must be <= 20, since all 2^n vectors are made, got {n}",
        )
    bits = torch.arange(n - 1, -1, -1)
    return (torch.arange(2**n)[:, None] >> bits & 1).double()


def bernoulli_log_prob(logits: Tensor, x: Tensor) -> Float[Tensor, " batch"]:
    """Return log p(x) of each row, Eq. (autoregressive-models-bernoulli).

    Raises: ValueError unless both have one shape (batch, dim) and x is binary.
    """
    check_binary(x)
    if logits.shape != x.shape:
        shapes = f"{tuple(logits.shape)} and {tuple(x.shape)}"
        raise ValueError(f"logits and x must have the same shape, got {shapes}")
    return logsigmoid((2 * x - 1) * logits).sum(1)


def nats_to_bits_per_dim(nll: float, dim: int) -> float:
    """Convert nats per vector to bits per variable.

    Eq. (autoregressive-models-bits).

    Raises: ValueError unless nll is finite and dim an integer >= 1.
    """
    check_count("dim", dim)
    if not isfinite(nll):
        raise ValueError(f"nll must be finite, got {nll}")
    return nll / (dim * log(2))


class Autoregressive(nn.Module):
    """A model whose output i is the logit of x_i given what comes before it."""

    bias: nn.Parameter  # the last one: logits where all else is silent

    def __init__(self, dim: int) -> None:
        """Model dim binary variables.

        Raises: ValueError unless dim is an integer >= 1.
        """
        super().__init__()
        check_count("dim", dim)
        self.dim = dim

    def check(self, x: Tensor) -> None:
        """Refuse what the model has no logits for.

        Raises: ValueError unless x is a binary batch of the parameters' type.
        """
        check_binary(x, self.dim)
        if x.dtype != self.bias.dtype:
            raise ValueError(
                f"x must be of {self.bias.dtype} as the model, got {x.dtype}",
            )

    def log_prob(self, x: Tensor) -> Float[Tensor, " batch"]:
        """Return log p(x), exact, Eq. (autoregressive-models-bernoulli)."""
        return bernoulli_log_prob(self(x), x)

    def loss(self, x: Tensor, generator: torch.Generator) -> Float[Tensor, ""]:
        """Return the mean NLL in nats, which `fit` minimises."""
        return -self.log_prob(x).mean()

    def start(self, x: Tensor) -> None:
        """Set the last bias to the logits of the smoothed frequencies in x.

        Raises: ValueError unless x is a non-empty binary batch.
        """
        check_binary(x, self.dim)
        if not len(x):
            raise ValueError("need data to start from, got 0 vectors")
        ones = x.sum(0)
        with torch.no_grad():
            self.bias.copy_(((ones + 1) / (len(x) - ones + 1)).log())

    def walk(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield each i with the logits of x_i; x_i is read only afterwards.

        Whoever walks may write x[:, i] before going on: that is sampling.
        """
        for i in range(self.dim):
            yield i, self(x)[:, i]

    @torch.no_grad()
    def _clamp(
        self,
        steps: Iterator[tuple[int, Tensor]],
        x: Tensor,
        observed: Tensor,
        generator: torch.Generator | None,
    ) -> Float[Tensor, " batch"]:
        """Draw what is not observed; return the log-weights of what is.

        Eq. (autoregressive-models-weight).
        """
        log_weight = x.new_zeros(len(x))
        fixed = observed.tolist()
        for i, logit in steps:
            if fixed[i]:
                log_weight += logsigmoid((2 * x[:, i] - 1) * logit)
            else:
                x[:, i] = torch.bernoulli(logit.sigmoid(), generator=generator)
        return log_weight

    def sample(
        self,
        n: int,
        *,
        prefix: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n dim"]:
        """Draw n vectors, given the first variables if there is a prefix.

        Raises: ValueError unless n >= 1 and prefix is binary, at most dim long.
        """
        check_count("n", n)
        prefix = self.bias.new_empty(0) if prefix is None else prefix
        if prefix.ndim != 1 or len(prefix) > self.dim:
            shape = tuple(prefix.shape)
            raise ValueError(
                f"prefix must be at most {self.dim} values, got shape {shape}",
            )
        check_binary(prefix[None], len(prefix))
        x = self.bias.new_zeros(n, self.dim)
        x[:, : len(prefix)] = prefix
        self._clamp(
            self.walk(x),
            x,
            torch.arange(self.dim) < len(prefix),
            generator,
        )
        return x

    def complete(
        self,
        x: Tensor,
        observed: Tensor,
        n: int,
        *,
        particles: int = 1000,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n dim"]:
        """Draw n vectors given x where observed, from weighted particles.

        Exact as particles grow in number, Eq. (autoregressive-models-weight).
        Raises: ValueError unless x is a binary vector of dim values, observed a
        Boolean one, and n and particles are >= 1.
        """
        check_count("n", n)
        check_count("particles", particles)
        check_observed(x, observed, self.dim)
        drawn = x.to(self.bias.dtype).expand(particles, -1).clone()
        log_weight = self._clamp(self.walk(drawn), drawn, observed, generator)
        chosen = torch.multinomial(
            log_weight.softmax(0),
            n,
            True,
            generator=generator,
        )
        return drawn[chosen]


def check_observed(x: Tensor, observed: Tensor, dim: int) -> None:
    """Refuse an observation that does not fit dim variables.

    Raises: ValueError unless x is a binary and observed a Boolean vector of dim
    values.
    """
    if x.ndim != 1 or len(x) != dim:
        raise ValueError(
            f"x must be a vector of {dim} values, got shape {tuple(x.shape)}",
        )
    if observed.shape != x.shape or observed.dtype != torch.bool:
        what = f"shape {tuple(observed.shape)} of {observed.dtype}"
        raise ValueError(f"observed must be {dim} Booleans, got {what}")
    check_binary(x[None], dim)


def posterior(
    log_prob: Tensor,
    x: Tensor,
    observed: Bool[Tensor, " n"],
) -> Float[Tensor, " states"]:
    """Return p(state | x where observed) of all 2^n states, by summing them.

    Raises: ValueError unless x and observed have n values and log_prob 2^n.
    """
    check_observed(x, observed, len(observed))
    states = all_states(len(observed))
    if log_prob.shape != states.shape[:1]:
        raise ValueError(
            f"log_prob must have the shape ({len(states)},), "  # one each
            f"got {tuple(log_prob.shape)}",
        )
    agrees = (states[:, observed] == x[observed]).all(1)
    return log_prob.masked_fill(~agrees, -torch.inf).softmax(0)
