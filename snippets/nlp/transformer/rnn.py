"""Recurrent cells written out, and what they do to a gradient.

Left out: several layers, both directions, initial states other than zero.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Sequences = Float[Tensor, "n b d"]
States = Float[Tensor, "n b h"]


def _check_params(name: str, params: Sequence[Tensor], gates: int, x: Tensor) -> None:
    if x.dim() != 3 or not len(x):
        shape = tuple(x.shape)
        raise ValueError(f"{name} needs x of shape (n, b, d), n > 0, got {shape}")
    d = x.shape[-1]
    shapes = [tuple(p.shape) for p in params]
    h = shapes[1][-1] if len(shapes) == 4 and shapes[1] else 0
    expected = [(gates * h, d), (gates * h, h), (gates * h,), (gates * h,)]
    if shapes != expected:
        raise ValueError(
            f"{name} needs W_ih, W_hh, b_ih, b_hh of shapes ({gates}h, {d}), "
            f"({gates}h, h), ({gates}h,), ({gates}h,), got {shapes}"
        )


def tanh_rnn(x: Sequences, params: Sequence[Tensor]) -> States:
    """Run the plain recurrent network, Eq. (transformer-rnn).

    Raises:
        ValueError: x is empty or not (n, b, d), or the parameters do not fit it.
    """
    _check_params("tanh_rnn", params, 1, x)
    W, U, b, c = params
    h, states = x.new_zeros(x.shape[1], U.shape[1]), []
    for x_t in x:
        h = torch.tanh(x_t @ W.T + b + h @ U.T + c)
        states.append(h)
    return torch.stack(states)


def lstm(x: Sequences, params: Sequence[Tensor]) -> States:
    """Run the LSTM, Eq. (transformer-lstm); gates in torch's order i, f, g, o.

    Raises:
        ValueError: x is empty or not (n, b, d), or the parameters do not fit it.
    """
    _check_params("lstm", params, 4, x)
    W, U, b, b_h = params
    h = c = x.new_zeros(x.shape[1], U.shape[1])
    states = []
    for x_t in x:
        i, f, g, o = (x_t @ W.T + b + h @ U.T + b_h).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states)


def gru(
    x: Sequences,
    params: Sequence[Tensor],
    reset_after: bool = True,
) -> States:
    """Run the GRU, Eq. (transformer-gru); gates in torch's order r, z, n.

    With ``reset_after`` the reset gate multiplies U h + b, as in torch and
    cuDNN; without it, it multiplies h, as in the paper of Cho et al.

    Raises:
        ValueError: x is empty or not (n, b, d), or the parameters do not fit it.
    """
    _check_params("gru", params, 3, x)
    W, U, b, b_h = params
    h, states = x.new_zeros(x.shape[1], U.shape[1]), []
    U_rz, U_n = U.tensor_split([2 * U.shape[1]])
    b_rz, b_n = b_h.tensor_split([2 * U.shape[1]])
    for x_t in x:
        x_rz, x_n = (x_t @ W.T + b).tensor_split([2 * U.shape[1]], dim=-1)
        r, z = torch.sigmoid(x_rz + h @ U_rz.T + b_rz).chunk(2, dim=-1)
        past = r * (h @ U_n.T + b_n) if reset_after else (r * h) @ U_n.T + b_n
        h = (1 - z) * torch.tanh(x_n + past) + z * h
        states.append(h)
    return torch.stack(states)


def jacobian_norms(
    run: Callable[[Tensor], Tensor],
    x: Float[Tensor, "n d"],
) -> Float[Tensor, " n"]:
    """Return the Frobenius norm of d(last output)/d(x_t) for every t.

    Copy i of the input yields row i of every Jacobian, so one backward pass
    gives them all.

    Raises:
        ValueError: x is no table of n positions and d channels.
    """
    if x.dim() != 2:
        raise ValueError(f"x needs the axes n, d, got shape {tuple(x.shape)}")
    width = run(x[:, None])[-1].numel()
    copies = x[:, None].repeat(1, width, 1).requires_grad_()
    last = run(copies)[-1]
    (rows,) = torch.autograd.grad(last.diagonal().sum(), copies)
    return rows.flatten(1).norm(dim=1)


def sequential_steps(y: Tensor) -> int:
    """Return the length of the longest chain of operations that y waits for.

    It is the longest path in the graph that autograd has recorded: with
    any number of processors no computation of y is shorter.

    Raises:
        ValueError: autograd has recorded nothing for y.
    """
    if y.grad_fn is None:
        raise ValueError(f"y needs a recorded history, got {y.grad_fn}")
    length: dict[object, int] = {}
    waiting = [y.grad_fn]
    while waiting:
        node = waiting[-1]
        before = [] if node is None else [p for p, _ in node.next_functions if p]
        missing = [p for p in before if p not in length]
        if missing:
            waiting += missing
        else:
            longest = max((length[p] for p in before), default=0)
            length[waiting.pop()] = longest + 1
    return length[y.grad_fn]
