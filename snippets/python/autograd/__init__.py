"""Reverse-mode automatic differentiation from scratch: what PyTorch's autograd does, on NumPy.

The forward pass records every operation; a sweep from the youngest tensor to the oldest turns the
record into gradients.  The rules of the sweep are themselves programs on recorded tensors, so that
gradients of gradients need nothing new.

Symbols:

    x, y, w    tensors; y is the output of a recorded operation, the x_i are its inputs
    v, g       a cotangent: the gradient of the final scalar with respect to a tensor, same shape
    J          the Jacobian of an operation, one row per output element
    VJP        vector-Jacobian product v^T J, what the sweep computes for each operation
    u          a tangent, a direction in which inputs move

Left out: dtypes but float64, devices, in-place operations that are themselves recorded, hooks,
and freeing the inputs that no VJP reads.
"""

from .engine import (
    Node,
    Tensor,
    add,
    amax,
    ancestors,
    broadcast_to,
    cat,
    defvjp,
    exp,
    getitem,
    grad,
    log,
    log_softmax,
    matmul,
    mul,
    no_grad,
    power,
    primitive,
    put,
    relu,
    reshape,
    sum_over,
    tanh,
    transpose,
    unbroadcast,
    where,
)
from .figures import figure_cost, figure_sweep, figure_tanh
from .tools import draw_graph, gradcheck, hvp, jacobian, jvp

__all__ = [
    "Node",
    "Tensor",
    "add",
    "amax",
    "ancestors",
    "broadcast_to",
    "cat",
    "defvjp",
    "draw_graph",
    "exp",
    "figure_cost",
    "figure_sweep",
    "figure_tanh",
    "getitem",
    "grad",
    "gradcheck",
    "hvp",
    "jacobian",
    "jvp",
    "log",
    "log_softmax",
    "matmul",
    "mul",
    "no_grad",
    "power",
    "primitive",
    "put",
    "relu",
    "reshape",
    "sum_over",
    "tanh",
    "transpose",
    "unbroadcast",
    "where",
]
