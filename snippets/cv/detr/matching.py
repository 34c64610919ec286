"""Who predicts whom: the assignment problem and the matcher that poses it.

Left out: sparse costs, entries that are forbidden (infinite).
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .boxes import box_cxcywh_to_xyxy, generalized_box_iou
from .checks import check_cost, check_outputs, check_targets

Pairs = tuple[np.ndarray, np.ndarray]


def _shortest_path(
    cost: np.ndarray,
    row: int,
    row_of: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
) -> tuple[int, np.ndarray]:
    """Grow a tree of shortest paths from a free row to a free column.

    Distances are sums of reduced costs; u and v are updated, Eq. (detr-update).
    Returns the free column and, for each column, the row it was reached from.
    """
    frontier = np.full(cost.shape[1], np.inf)  # distances of open columns
    parent = np.full(cost.shape[1], -1)
    reach, start, way = v.copy(), row, 0.0
    closed: list[int] = []
    ways: list[float] = []
    while True:
        through = cost[row] - reach + (way - u[row])
        shorter = through < frontier
        frontier[shorter], parent[shorter] = through[shorter], row
        column = int(frontier.argmin())
        way = frontier[column]
        if row_of[column] < 0:
            break
        closed.append(column)
        ways.append(way)
        frontier[column], reach[column] = np.inf, -np.inf
        row = row_of[column]
    gain = way - np.array(ways)
    u[start] += way
    u[row_of[closed]] += gain
    v[closed] -= gain
    return column, parent


def assignment_with_potentials(
    cost: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's column, and potentials u, v that prove it the cheapest.

    Shortest augmenting paths, one per row; cost (n, m) with n <= m.

    Raises:
        ValueError: not a finite matrix, or it has more rows than columns.
    """
    cost = np.asarray(cost, dtype=np.float64)
    check_cost(cost)
    n, m = cost.shape
    if n > m:
        raise ValueError(
            f"cost must not have more rows than columns, got {(n, m)}",
        )
    u, v = np.zeros(n), np.zeros(m)
    row_of, column_of = np.full(m, -1), np.full(n, -1)
    for start in range(n):
        column, parent = _shortest_path(cost, start, row_of, u, v)
        row = -1
        while row != start:  # turn the path over: its free end is taken
            row = int(parent[column])
            row_of[column] = row
            column, column_of[row] = int(column_of[row]), column
    return column_of, u, v


def linear_sum_assignment(cost: np.ndarray) -> Pairs:
    """Return rows, ascending, and columns of the cheapest one-to-one assignment.

    min(n, m) pairs, as `scipy.optimize.linear_sum_assignment` gives them.

    Raises:
        ValueError: not a finite matrix.
    """
    cost = np.asarray(cost, dtype=np.float64)
    check_cost(cost)
    if cost.shape[0] <= cost.shape[1]:
        return np.arange(cost.shape[0]), assignment_with_potentials(cost)[0]
    rows = assignment_with_potentials(cost.T)[0]
    order = rows.argsort()
    return rows[order], order


def greedy_assignment(cost: np.ndarray) -> Pairs:
    """Take the cheapest pair whose row and column are free, again and again.

    Raises:
        ValueError: not a finite matrix.
    """
    left = np.array(cost, dtype=np.float64)
    check_cost(left)
    rows, columns = [], []
    for _ in range(min(left.shape)):
        row, column = np.unravel_index(left.argmin(), left.shape)
        rows.append(row)
        columns.append(column)
        left[row], left[:, column] = np.inf, np.inf
    order = np.argsort(rows)
    return np.array(rows, int)[order], np.array(columns, int)[order]


class HungarianMatcher:
    """Pair each object of an image with one prediction, Eq. (detr-cost)."""

    def __init__(
        self,
        cost_class: float | int = 1.0,
        cost_bbox: float | int = 5.0,
        cost_giou: float | int = 2.0,
        solve: Callable[[np.ndarray], Pairs] = linear_sum_assignment,
    ) -> None:
        """Keep the weights of the three costs, and the solver.

        Raises:
            ValueError: a weight is negative, or all are 0.
        """
        weights = cost_class, cost_bbox, cost_giou
        if min(weights) < 0 or not any(weights):
            raise ValueError(f"costs must be >= 0 and not all 0, got {weights}")
        self.weights, self.solve = weights, solve

    def cost(
        self,
        p: Tensor,
        boxes: Tensor,
        labels: Tensor,
        wanted: Tensor,
    ) -> Float[Tensor, "n m"]:
        """Return what each pair of prediction and object would cost.

        Of one image: p (n, K + 1), boxes (n, 4), labels (m,), wanted (m, 4).
        """
        corners = box_cxcywh_to_xyxy(boxes), box_cxcywh_to_xyxy(wanted)
        terms = (
            -p[:, labels],
            torch.cdist(boxes, wanted, p=1),
            -generalized_box_iou(*corners),
        )
        pairs = zip(self.weights, terms, strict=True)
        return torch.stack([weight * term for weight, term in pairs]).sum(0)

    def costs(self, outputs: dict, targets: list[dict]) -> Iterator[np.ndarray]:
        """Yield each image's cost matrix; no pair across images is built."""
        p = outputs["pred_logits"].detach().softmax(-1)
        boxes = outputs["pred_boxes"].detach()
        for one, where, t in zip(p, boxes, targets, strict=True):
            cost = self.cost(one, where, t["labels"], t["boxes"])
            yield cost.double().cpu().numpy()

    def __call__(
        self,
        outputs: dict,
        targets: list[dict],
    ) -> list[tuple[Tensor, Tensor]]:
        """Return for each image which prediction i belongs to which object j.

        Raises:
            ValueError: outputs or targets that do not fit (see `SetCriterion`).
        """
        check_outputs(outputs)
        batch, _, classes = outputs["pred_logits"].shape
        check_targets(targets, batch, classes - 1)
        pairs = map(self.solve, self.costs(outputs, targets))
        return [(torch.as_tensor(i), torch.as_tensor(j)) for i, j in pairs]
