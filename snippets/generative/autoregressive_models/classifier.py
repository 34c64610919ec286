"""A generative classifier: one model per class, turned round by Bayes' rule."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snippets.common.checks import check_count


class ClassConditional(nn.Module):
    """A model of p(y) p(x | y), Eq. (autoregressive-models-joint)."""

    log_prior: Tensor

    def __init__(
        self,
        models: Sequence[nn.Module],
        counts: Sequence[int],
    ) -> None:
        """Take one model per class, and how often each class was seen.

        Raises: ValueError unless there are as many counts >= 1 as models.
        """
        super().__init__()
        if not models or len(models) != len(counts):
            raise ValueError(
                "need as many counts as models, "  # one per class
                f"got {len(counts)}, {len(models)}",
            )
        for count in counts:
            check_count("count", count)
        self.models = nn.ModuleList(models)
        self.register_buffer(
            "log_prior",
            (torch.tensor(counts) / sum(counts)).log(),
        )

    def joint(self, x: Tensor) -> Float[Tensor, "batch classes"]:
        """Return log p(x, y) for every class y."""
        each = [model.log_prob(x) for model in self.models]  # type: ignore
        return torch.stack(each, 1) + self.log_prior

    def log_prob(self, x: Tensor, y: Tensor) -> Float[Tensor, " batch"]:
        """Return log p(x, y) of pairs.

        Raises: ValueError unless y holds one class number for each row of x.
        """
        top = len(self.models) - 1
        if (
            y.shape != x.shape[:1]  # not one class number per row
            or y.dtype != torch.long
            or not ((y >= 0) & (y <= top)).all()
        ):
            got = f"{y.dtype} of shape {tuple(y.shape)}"
            raise ValueError(
                f"y must be {len(x)} integers from 0 to {top}, got {got}",
            )
        return self.joint(x).gather(1, y[:, None])[:, 0]

    def predict_proba(self, x: Tensor) -> Float[Tensor, "batch classes"]:
        """Return p(y | x), Eq. (autoregressive-models-bayes)."""
        return self.joint(x).softmax(1)


def fit_classes(
    x: Tensor,
    y: Tensor,
    fit: Callable[[Tensor], nn.Module],
) -> ClassConditional:
    """Fit one model to the vectors of each class 0, 1, ..., y.max().

    Raises: ValueError where x and y differ in length, y is no integer >= 0 or a
    class has no vector.
    """
    if y.ndim != 1 or len(x) != len(y) or not len(y):
        raise ValueError(
            "need one class per vector, "  # a number each
            f"got {tuple(x.shape)} and {tuple(y.shape)}",
        )
    if y.dtype != torch.long or y.min() < 0:
        raise ValueError(
            f"classes must be integers >= 0, got {y.dtype} from {y.min():g}",
        )
    counts = y.bincount().tolist()
    if 0 in counts:
        raise ValueError(f"class {counts.index(0)} has no vector")
    return ClassConditional([fit(x[y == c]) for c in range(len(counts))], counts)
