"""What one sweep after another is good for: checks, products with derivatives, a listing."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine import Tensor, ancestors, grad, no_grad

Function = Callable[..., Tensor]


def _leaf(x: Any) -> Tensor:
    """Return the same numbers as a new leaf that requires grad."""
    return Tensor(x.data if isinstance(x, Tensor) else x, requires_grad=True)


def _path(*xs: Tensor) -> Tensor:
    """Return 0, with a path to every x, so that no derivative is missing."""
    return sum(((x * 0).sum() for x in xs), start=Tensor(0))


def _same_shapes(xs: Sequence[Tensor], us: Sequence[Tensor]) -> None:
    """Raise ValueError unless there is one direction per input, of its shape."""
    if [x.shape for x in xs] != [u.shape for u in us]:
        wanted, got = [x.shape for x in xs], [u.shape for u in us]
        raise ValueError(f"directions have shapes {got}, inputs {wanted}")


def jvp(f: Function, inputs: Sequence[Any], tangents: Sequence[Any]) -> Tensor:
    """Return J u by two reverse sweeps, Eq. (autograd-double-vjp).

    Raises ValueError unless every input has a tangent of its shape.
    """
    xs, us = [_leaf(x) for x in inputs], [_leaf(u).detach() for u in tangents]
    _same_shapes(xs, us)
    y = f(*xs) + _path(*xs)
    v = Tensor(np.zeros(y.shape), requires_grad=True)
    back = grad(y, xs, v, create_graph=True)  # v^T J, a linear function of v
    along = sum((g * u).sum() for g, u in zip(back, us, strict=True))
    return grad(along, v)[0]


def hvp(f: Function, x: Any, v: Any) -> Tensor:
    """Return the Hessian of a scalar function times v, Eq. (autograd-hvp).

    Raises ValueError if v has another shape, RuntimeError if f is no scalar.
    """
    x, v = _leaf(x), _leaf(v).detach()
    _same_shapes([x], [v])
    (g,) = grad(f(x) + _path(x), x, create_graph=True)
    return grad((g * v).sum() + _path(x), x)[0]


def jacobian(f: Function, x: Any) -> np.ndarray:
    """Return all of J, one sweep a row, in the output's shape + the input's."""
    x = _leaf(x)
    y = f(x) + _path(x)
    units = np.eye(y.data.size).reshape(-1, *y.shape)
    rows = [grad(y, x, e, retain_graph=True)[0].data for e in units]
    return np.reshape(rows, y.shape + x.shape)


def _differences(f: Function, x: Tensor, eps: float | int) -> np.ndarray:
    """Return J, one central difference a column, Eq. (autograd-differences)."""
    columns = []
    with no_grad():
        for e in eps * np.eye(x.data.size).reshape(-1, *x.shape):
            up, down = f(Tensor(x.data + e)), f(Tensor(x.data - e))
            columns.append((up.data - down.data) / (2 * eps))
    return np.stack(columns, -1).reshape(*columns[0].shape, *x.shape)


def gradcheck(
    f: Function,
    inputs: Sequence[Any],
    eps: float | int = 1e-6,
    atol: float | int = 1e-6,
) -> bool:
    """Hold the Jacobian for every input against central differences.

    Raises ValueError unless eps and atol are positive and there is an input,
    ArithmeticError if an element is off by more than atol * (1 + |element|).
    """
    if not inputs or eps <= 0 or atol <= 0:
        got = f"{len(inputs)} inputs, {eps}, {atol}"
        raise ValueError(f"need inputs and positive eps, atol; got {got}")
    for i, x in enumerate(map(_leaf, inputs)):

        def of_input(z: Tensor, i: int = i) -> Tensor:
            return f(*inputs[:i], z, *inputs[i + 1 :])

        ours, wanted = jacobian(of_input, x), _differences(of_input, x, eps)
        wrong = np.abs(ours - wanted) / (1 + np.abs(wanted))
        if not (wrong <= atol).all():
            worst = np.argmax(np.nan_to_num(wrong, nan=np.inf))
            place = tuple(map(int, np.unravel_index(worst, wrong.shape)))
            raise ArithmeticError(
                f"input {i}: J{list(place)} is {ours[place]:.6g} by the sweep, "
                f"{wanted[place]:.6g} by differences"
            )
    return True


def draw_graph(output: Any) -> str:
    """List the record behind a tensor, the oldest first, one tensor a line.

    Raises TypeError unless output is a Tensor.
    """
    order = ancestors(output)
    number = {t: f"#{i}" for i, t in enumerate(order)}
    lines = []
    for t in order:
        made = "leaf"
        if t.node:
            inputs = ", ".join(number.get(x, "const") for x in t.node.inputs)
            made = f"{t.node.operation.__name__}({inputs})"
        lines.append(f"{number[t]} {t.shape} {made}")
    return "\n".join(lines)
