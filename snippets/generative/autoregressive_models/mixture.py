"""The baselines: independent pixels, and a mixture of such models fitted by EM."""

from math import inf, log

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from snippets.common.checks import check_count

from .base import check_binary


class BernoulliMixture(nn.Module):
    """A mixture of independent vectors, Eq. (autoregressive-models-mob)."""

    def __init__(
        self,
        log_pi: Float[Tensor, " k"],
        logits: Float[Tensor, "k dim"],
    ) -> None:
        """Mix k vectors of independent variables."""
        super().__init__()
        self.log_pi, self.logits = nn.Parameter(log_pi), nn.Parameter(logits)

    def joint(self, x: Tensor) -> Float[Tensor, "batch k"]:
        """Return log p(x, component)."""
        check_binary(x, self.logits.shape[1])
        on, off = logsigmoid(self.logits), logsigmoid(-self.logits)
        return x @ (on - off).T + off.sum(1) + self.log_pi

    def log_prob(self, x: Tensor) -> Float[Tensor, " batch"]:
        """Return log p(x), the sum over the components."""
        return self.joint(x).logsumexp(1)


@torch.no_grad()
def fit_mixture(
    x: Tensor,
    k: int = 1,
    *,
    steps: int = 50,
    pseudo: float = 1.0,
    seed: int = 0,
) -> BernoulliMixture:
    """Fit k components by EM, Eq. (autoregressive-models-em).

    Each is smoothed as if it had seen pseudo more zeros and ones.

    k = 1 is the independent model, reached in one step.
    Raises: ValueError unless x is a non-empty binary batch, k and steps are >= 1
    and pseudo is positive and finite.
    """
    check_binary(x)
    check_count("k", k)
    check_count("steps", steps)
    if not len(x) or not 0 < pseudo < inf:
        raise ValueError(
            f"need vectors and a finite pseudo > 0, got {len(x)} and {pseudo}",
        )
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(len(x), k, generator=generator).to(x.dtype)
    share = share / share.sum(1, keepdim=True)
    for _ in range(steps if k > 1 else 1):
        count, ones = share.sum(0), share.T @ x
        logits = ((ones + pseudo) / (count[:, None] - ones + pseudo)).log()
        model = BernoulliMixture((count + 1).log() - log(len(x) + k), logits)
        share = model.joint(x).softmax(1)
    return model
