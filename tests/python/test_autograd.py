"""The claims of the page on automatic differentiation."""

import gc
import random
import threading
import weakref
from collections import Counter

import autograd as hips
import autograd.numpy as hnp
import numpy as np
import pytest
import torch
from micrograd.engine import Value
from micrograd.nn import MLP
from torch.autograd.gradcheck import GradcheckError

from snippets.python import autograd as module
from snippets.python.autograd import (
    Tensor,
    add,
    amax,
    ancestors,
    broadcast_to,
    cat,
    defvjp,
    draw_graph,
    exp,
    getitem,
    grad,
    gradcheck,
    hvp,
    jacobian,
    jvp,
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

# random programs, in our engine and in torch


class Ours:
    leaf = staticmethod(lambda data: Tensor(data, requires_grad=True))
    cat, where, grad = staticmethod(cat), staticmethod(where), staticmethod(grad)
    amax = staticmethod(amax)
    data = staticmethod(lambda t: t.data)


class Theirs:
    leaf = staticmethod(lambda data: torch.tensor(data, requires_grad=True))
    cat, amax = staticmethod(torch.cat), staticmethod(torch.amax)
    where = staticmethod(lambda mask, a, b: torch.where(torch.as_tensor(mask), a, b))
    grad = staticmethod(torch.autograd.grad)
    data = staticmethod(lambda t: t.detach().numpy())


def like(a, rng):
    """A shape that broadcasts with a's: some axes dropped, some of length 1."""
    kept = a[rng.randint(0, len(a)) :]
    return tuple(1 if rng.random() < 0.3 else n for n in kept)


def fitting(tensors, shape, rng):
    """A tensor of the pool that broadcasts with the shape, reduced to one if none does."""
    b = rng.choice(tensors)
    try:
        np.broadcast_shapes(shape, b.shape)
        return b
    except ValueError:
        return b.mean()


STEPS = [
    *("add", "sub", "mul", "div", "power", "exp", "log", "tanh", "relu", "sum", "mean"),
    *("max", "log_softmax", "reshape", "transpose", "matmul", "getitem", "repeat"),
    *("cat", "where", "expand"),
]


def step(tensors, lib, rng, used):
    """One more tensor, from random earlier ones."""
    a = rng.choice(tensors)
    name = rng.choice(STEPS)
    n = len(a.shape)
    axis = rng.randrange(n) if n else None
    b = fitting(tensors, tuple(a.shape), rng)
    if name in ("transpose", "matmul", "log_softmax", "max", "cat", "getitem", "repeat") and n < 2:
        name = "tanh"
    used[name] += 1
    match name:
        case "add":
            return a + b
        case "sub":
            return 0.5 - a * 0.5 - b
        case "mul":
            return a * b.tanh()
        case "div":
            return a / (b * b + 1.0)
        case "power":
            return (a * a + 0.5) ** rng.choice([0.5, -1, 2, 3]) * 0.1
        case "exp":
            return a.tanh().exp()
        case "log":
            return (a * a + 1.0).log()
        case "tanh" | "relu":
            return getattr(a, name)()
        case "sum" | "mean":
            return getattr(a, name)(axis, rng.random() < 0.5) if n else a.tanh()
        case "max":
            return lib.amax(a, axis, rng.random() < 0.5)
        case "log_softmax":
            return a.log_softmax(axis)
        case "reshape":
            return a.reshape((-1, *a.shape[2:]) if n > 1 else (1, *a.shape))
        case "transpose":
            return a.transpose(axis, rng.randrange(n))
        case "matmul":
            return a.tanh() @ a.transpose(-1, -2).tanh()
        case "getitem":
            return a[1:, ..., ::2] if a.shape[0] > 1 else a[..., 0]
        case "repeat":
            return a[np.array([rng.randrange(a.shape[0]) for _ in range(3)])]
        case "cat":
            return lib.cat([a, a.tanh(), a * 0.3], axis)
        case "where":
            mask = lib.data(a) > 0.1
            return lib.where(mask, a * 1.0, b.tanh() + 0 * a)
        case "expand":
            return a.expand((2, *a.shape))


def run_program(lib, seed, used):
    """Values, first and second derivatives of a random program of 12 steps."""
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    shape = tuple(rng.randint(1, 4) for _ in range(rng.randint(1, 3)))
    leaves = [lib.leaf(numbers.normal(size=s)) for s in (shape, like(shape, rng), shape[-1:])]
    tensors = list(leaves)
    for _ in range(12):
        tensors.append(step(tensors, lib, rng, used))
        if np.size(lib.data(tensors[-1])) > 300:
            tensors[-1] = tensors[-1].mean()
    y = sum((t.tanh() * t).mean() for t in tensors)
    first = lib.grad(y, leaves, create_graph=True)
    along = sum((g * g * 0.5 + g).sum() for g in first)
    second = lib.grad(along, leaves)
    return [lib.data(t) for t in (y, *first, *second)]


@pytest.mark.parametrize("block", range(10))
def test_random_programs_agree_with_torch_to_second_order(block):
    used = Counter()
    for seed in range(50 * block, 50 * block + 50):
        ours = run_program(Ours, seed, used)
        theirs = run_program(Theirs, seed, Counter())
        for a, b in zip(ours, theirs, strict=True):
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= 1e-12 * max(1, np.abs(b).max()), seed
    assert sorted(used) == sorted(STEPS)


# every primitive, against differences, to second order, and against torch's own check

A = np.random.default_rng(0).normal(size=(2, 3))
B = np.random.default_rng(1).normal(size=(2, 3)) + 0.1
POSITIVE = np.abs(A) + 0.5
STACK = np.random.default_rng(2).normal(size=(2, 1, 3, 2))
TIES = np.array([1.0, 3.0, 3.0])

CASES = {
    "add": (add, [A, B]),
    "add, broadcasting": (add, [A, B[0]]),
    "mul": (mul, [A, B]),
    "mul, broadcasting": (mul, [A, B[:, :1]]),
    "mul, by itself": (lambda x: x * x * x, [A]),
    "sub": (lambda a, b: 2 - a - b, [A, B]),
    "div": (lambda a, b: 3 / a + a / b, [POSITIVE, POSITIVE[0]]),
    "power": (lambda x: power(x, 3), [A]),
    "square root": (lambda x: x**0.5, [POSITIVE]),
    "exp": (exp, [A]),
    "log": (log, [POSITIVE]),
    "tanh": (tanh, [A]),
    "relu": (relu, [A]),
    "matmul": (matmul, [A, B.T]),
    "matmul, batched": (matmul, [STACK, A.reshape(1, 1, 2, 3)]),
    "matmul, broadcast batch": (matmul, [STACK, np.stack([A] * 4)]),
    "sum": (sum_over, [A]),
    "sum, one axis": (lambda x: sum_over(x, 1) ** 2, [A]),
    "sum, two axes kept": (lambda x: sum_over(x, (0, -1), keepdims=True) ** 2, [STACK]),
    "mean": (lambda x: (x * x).mean(0), [A]),
    "amax": (lambda x: amax(x, 1) ** 2, [A]),
    "amax of all": (lambda x: amax(x, keepdims=True) * x, [A]),
    "log_softmax": (log_softmax, [A]),
    "log_softmax, axis 0": (lambda x: log_softmax(x, 0), [A]),
    "reshape": (lambda x: reshape(x, (3, -1)) ** 2, [A]),
    "transpose": (lambda x: transpose(x) * transpose(x), [A]),
    "broadcast_to": (lambda x: broadcast_to(x, (4, 2, 3)) * np.arange(4)[:, None, None], [A]),
    "getitem, slice": (lambda x: getitem(x, (slice(None), slice(None, None, 2))) ** 2, [A]),
    "getitem, repeats": (lambda x: getitem(x, ([0, 1, 0, 0], [2, 1, 2, 0])) ** 2, [A]),
    "put, repeats": (lambda x: put(x, [1, 1], (3, 3)) ** 2, [A]),
    "cat": (lambda a, b: cat([a, b, a], -1) ** 2, [A, B]),
    "where": (lambda a, b: where(A > 0, a * b, b), [A, B[:1]]),
    "detached": (lambda x: x * x.exp(), [A]),
}


@pytest.mark.parametrize("name", CASES)
def test_primitives_pass_gradcheck_to_second_order(name):
    f, inputs = CASES[name]
    assert gradcheck(f, inputs)

    def slope(*xs):  # a linear function has none left to check, so square it as well
        y = f(*xs) * 1.0
        return grad((y * y * 0.5).sum(), [x for x in xs if x.requires_grad], create_graph=True)[0]

    for i in range(len(inputs)):
        rest = [Tensor(x) for x in inputs]

        def of_one(x, i=i, rest=rest):
            if not x.requires_grad:  # the differences come without recording
                x = Tensor(x.data, requires_grad=True)
                y = f(*rest[:i], x, *rest[i + 1 :]) * 1.0
                return grad((y * y * 0.5).sum(), x)[0]
            return slope(*rest[:i], x, *rest[i + 1 :])

        assert recorded_gradcheck(of_one, inputs[i])


def recorded_gradcheck(f, x, eps=1e-6):
    """Central differences of a function that itself needs recording."""
    wanted = []
    for e in eps * np.eye(x.size).reshape(-1, *x.shape):
        up, down = f(Tensor(x + e)), f(Tensor(x - e))
        wanted.append((up.data - down.data) / (2 * eps))
    wanted = np.moveaxis(np.array(wanted), 0, -1).reshape(*wanted[0].shape, *x.shape)
    return np.allclose(jacobian(f, x), wanted, rtol=1e-5, atol=1e-5)


def test_torch_gradcheck_agrees_on_right_and_wrong():
    class Right(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * g * x**2

    class Wrong(Right):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x**2

    x = torch.tensor(A, requires_grad=True)
    assert torch.autograd.gradcheck(Right.apply, x)
    assert torch.autograd.gradgradcheck(Right.apply, x)
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(Wrong.apply, x)

    cube = defvjp(lambda g, _y, x: g * x**2 * 3)(primitive(lambda x: x**3))
    wrong = defvjp(lambda g, _y, x: g * x**2 * 2)(primitive(lambda x: x**3))
    assert gradcheck(cube, [A])
    with pytest.raises(ArithmeticError, match=r"input 0: J\[.*\] is .* by the sweep"):
        gradcheck(wrong, [A])


# other engines


def test_tanh_derivatives_to_fifth_order():
    points = np.linspace(-2, 2, 41)
    x, t = Tensor(points, requires_grad=True), torch.tensor(points, requires_grad=True)
    y, z = x.tanh(), t.tanh()
    for _ in range(5):
        (y,) = grad(y, x, np.ones(41), create_graph=True)
        (z,) = torch.autograd.grad(z, t, torch.ones(41, dtype=t.dtype), create_graph=True)
        assert np.allclose(y.data, z.detach().numpy(), rtol=1e-12, atol=1e-13)


def test_hips_autograd_agrees_on_a_classifier():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(8, 5)), rng.integers(0, 3, 8)
    weights = [rng.normal(size=s) for s in ((5, 7), (7,), (7, 3), (3,))]

    def loss(w):
        h = hnp.tanh(hnp.dot(x, w[0]) + w[1])
        z = hnp.dot(h, w[2]) + w[3]
        z = z - hnp.log(hnp.sum(hnp.exp(z), axis=1, keepdims=True))
        return -hnp.mean(z[np.arange(8), labels])

    w = [Tensor(each, requires_grad=True) for each in weights]
    h = (Tensor(x) @ w[0] + w[1]).tanh()
    ours = -(h @ w[2] + w[3]).log_softmax()[np.arange(8), labels].mean()
    value, gradients = hips.value_and_grad(loss)(weights)
    assert ours.item() == pytest.approx(value, rel=1e-14)
    for a, b in zip(grad(ours, w), gradients, strict=True):
        assert np.allclose(a.data, b, rtol=1e-12, atol=1e-15)


def test_micrograd_agrees_number_by_number():
    random.seed(0)
    net = MLP(2, [4, 4, 1])
    points = np.random.default_rng(0).normal(size=(6, 2))
    outputs = [net([Value(float(v)) for v in point]) for point in points]
    total = sum((y * y for y in outputs), Value(0.0))
    total.backward()
    weights, biases = [], []
    for layer in net.layers:
        weights.append(Tensor(np.array([[w.data for w in n.w] for n in layer.neurons]).T, True))
        biases.append(Tensor(np.array([float(n.b.data) for n in layer.neurons]), True))
    h = Tensor(points)
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        h = h @ w + b
        h = h.relu() if i < 2 else h
    y = (h * h).sum()
    y.backward()
    assert y.item() == pytest.approx(total.data, rel=1e-14)
    for layer, w, b in zip(net.layers, weights, biases, strict=True):
        assert np.allclose(w.grad.data.T, [[v.grad for v in n.w] for n in layer.neurons])
        assert np.allclose(b.grad.data, [n.b.grad for n in layer.neurons])


def test_depth_20000_where_recursion_fails_at_2000():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20000):
        y = y * 1.0001
    y.backward()
    assert x.grad.item() == pytest.approx(1.0001**20000)
    v = Value(1.0)
    for _ in range(2000):
        v = v * 1.0
    with pytest.raises(RecursionError):
        v.backward()


def test_sixty_doublings_are_swept_once_each():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    assert len(ancestors(y)) == 61
    assert grad(y, x)[0].item() == 2.0**60


# jvp, hvp, jacobian


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_jvp_hvp_and_jacobian_agree_with_torch_func():
    def ours(x, w):
        return (x @ w).tanh() * x.exp().sum()

    def theirs(x, w):
        return (x @ w).tanh() * x.exp().sum()

    x, w = A, STACK[0, 0]
    u, q = B, STACK[1, 0]
    tensors = [torch.tensor(each) for each in (x, w, u, q)]
    _, expected = torch.func.jvp(theirs, tuple(tensors[:2]), tuple(tensors[2:]))
    assert np.allclose(jvp(ours, [x, w], [u, q]).data, expected.numpy(), rtol=1e-12)
    wt = tensors[1]
    expected = torch.func.jacrev(lambda x: theirs(x, wt))(tensors[0])
    assert np.allclose(jacobian(lambda x: ours(x, w), x), expected.numpy(), rtol=1e-12)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(tensors[0], tensors[2])
        tangent = torch.autograd.forward_ad.unpack_dual(theirs(dual, wt)).tangent
    assert np.allclose(jvp(lambda x: ours(x, w), [x], [u]).data, tangent.numpy(), rtol=1e-12)
    _, expected = torch.autograd.functional.hvp(
        lambda x: theirs(x, wt).sum(), tensors[0], tensors[2]
    )
    assert np.allclose(hvp(lambda x: ours(x, w).sum(), x, u).data, expected.numpy(), rtol=1e-11)


def test_derivatives_that_vanish_are_zeros_not_errors():
    assert hvp(lambda x: (x * 3).sum(), A, B).data.tolist() == np.zeros((2, 3)).tolist()
    assert jacobian(lambda x: Tensor(1.0), [1.0, 2.0]).tolist() == [0.0, 0.0]
    assert jvp(lambda x, y: x, [1.0, 2.0], [0.5, 9.0]).item() == 0.5
    w = Tensor([1.0, 2.0], requires_grad=True)
    assert hvp(lambda x: (x * w).sum(), [1.0, 1.0], [1.0, 0.0]).data.tolist() == [0.0, 0.0]


# what is recorded, kept, and freed


def test_grad_leaves_grad_alone_and_backward_adds():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (g,) = grad((x * x).sum(), x)
    assert x.grad is None
    assert g.data.tolist() == [2.0, 4.0]
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.data.tolist() == [4.0, 8.0]


def test_gradient_of_a_tensor_in_the_middle_and_of_itself():
    x = Tensor(3.0, requires_grad=True)
    y = x * x
    z = y * y
    assert [g.item() for g in grad(z, [z, y, x, x])] == [1.0, 18.0, 108.0, 108.0]


def test_only_the_way_to_the_inputs_is_swept():
    calls = []
    noted = defvjp(lambda g, _y, _x: calls.append("x") or g)(primitive(lambda x: x + 0))
    times = defvjp(
        lambda g, _y, _a, b: calls.append("a") or g * b,
        lambda g, _y, a, _b: calls.append("b") or g * a,
    )(primitive(lambda a, b: a * b))
    x, w = Tensor(3.0, requires_grad=True), Tensor(2.0, requires_grad=True)
    y = times(noted(x), w)
    assert grad(y, w, retain_graph=True)[0].item() == 3.0
    assert calls == ["b"]
    assert grad(y, x)[0].item() == 2.0
    assert calls == ["b", "a", "x"]


def test_no_grad_and_detach_record_nothing():
    x = Tensor([1.0], requires_grad=True)
    with no_grad():
        assert not (x * x).requires_grad

        @no_grad()
        def inside():
            return x * x

    assert not inside().requires_grad
    assert (x * x).requires_grad
    cut = x.detach()
    assert not cut.requires_grad
    assert np.shares_memory(cut.data, x.data)
    assert grad(x * x.detach(), x)[0].item() == 1.0


def test_recording_is_a_matter_of_one_thread():
    seen = []
    x = Tensor([1.0], requires_grad=True)
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * x).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_record_dies_without_the_garbage_collector():
    class Probe(Tensor):
        pass

    gc.disable()
    try:
        x = Tensor([1.0], requires_grad=True)
        middle = Probe(x.data)
        middle.requires_grad, middle.node = True, (x * 1).node
        y = middle.exp() * 2
        alive = weakref.ref(middle)
        del middle
        assert alive() is not None
        y.backward()
        assert alive() is None  # freed by the sweep although y lives
    finally:
        gc.enable()


def test_in_place_writes_are_noticed_exactly_where_a_vjp_reads():
    def after(f, write):
        x = Tensor([1.0, 2.0], requires_grad=True)
        y = f(x)
        with no_grad():
            write(x, y)
        y.sum().backward()
        return x.grad.data.tolist()

    def write_x(x, y):
        x.detach().add_(1)

    def write_y(x, y):
        y.add_(1)

    assert after(lambda x: x + 1, write_x) == [1.0, 1.0]
    assert after(lambda x: x * 3, write_x) == [3.0, 3.0]
    assert after(log, write_y) == [1.0, 0.5]
    assert after(exp, write_x) == np.exp([1.0, 2.0]).tolist()
    with pytest.raises(RuntimeError, match=r"the output of exp, shape \(2,\), was modified"):
        after(exp, write_y)
    with pytest.raises(RuntimeError, match=r"input 0 of log, shape \(2,\), was modified"):
        after(log, write_x)
    with pytest.raises(RuntimeError, match=r"input 1 of mul"):
        after(lambda x: x * x, write_x)
    with pytest.raises(RuntimeError, match=r"input 0 of power"):  # through a view
        after(lambda x: x[:1] ** 2, write_x)
    assert after(lambda x: x[[0]] ** 2, write_x) == [2.0, 0.0]  # a copy


# errors


def test_bad_input_is_named():
    x = Tensor([1.0, 2.0], requires_grad=True)
    bad = [
        (TypeError, "real numbers, got complex128", lambda: Tensor([1j])),
        (TypeError, "real numbers, got <U1", lambda: Tensor("x")),
        (ValueError, "size 1", lambda: x.item()),
        (RuntimeError, r"add_ on .* \(2,\) that requires grad", lambda: x.add_(1)),
        (RuntimeError, r"add_ of .* \(2,\) that requires", lambda: Tensor([1.0, 2.0]).add_(x)),
        (TypeError, "expected a Tensor, got 3", lambda: ancestors(x, 3)),
        (RuntimeError, "shape .* not one element: give a v", lambda: (x * x).backward()),
        (ValueError, r"gradient has shape \(3,\), .* \(2,\)", lambda: x.backward([1, 2, 3])),
        (RuntimeError, "does not require grad", lambda: Tensor([1.0]).backward()),
        (RuntimeError, "not depend on input 1", lambda: grad(x.sum(), [x, Tensor([1.0], True)])),
        (ValueError, r"need 2 or more axes, got \(2,\), \(2,\)", lambda: x @ x),
        (TypeError, "add got 3 arguments", lambda: add(x, x, x)),
        (TypeError, "missing .*required", lambda: add(x)),
        (TypeError, "must be a number, got array", lambda: power(x, np.ones(2))),
        (TypeError, "mask must be an array of bool", lambda: where(x, x, x)),
        (ValueError, r"\(2,\) \(3,\)", lambda: x + np.ones(3)),
        (ValueError, "into shape", lambda: x.reshape((3,))),
        (ValueError, "need at least one array", lambda: cat([])),
        (IndexError, "index 5 is out of bounds", lambda: x[5]),
        (ValueError, "positive eps", lambda: gradcheck(exp, [x], eps=0)),
        (ValueError, "0 inputs", lambda: gradcheck(exp, [])),
        (ValueError, r"shapes \[\(3,\)\], inputs \[\(2,\)\]", lambda: jvp(exp, [x], [[1, 2, 3]])),
        (ValueError, r"shapes \[\], inputs", lambda: jvp(exp, [x], [])),
        (ValueError, "directions have shapes", lambda: hvp(sum_over, x, [1.0])),
        (RuntimeError, "not one element", lambda: hvp(exp, x, x)),
        (ValueError, "needs g, y and 1 inputs", lambda: defvjp(lambda g, y: g)(exp)),
        (TypeError, "expected a Tensor, got 3", lambda: draw_graph(3)),
        (TypeError, "expected a Tensor, got 3", lambda: ancestors(3)),
    ]
    for error, message, call in bad:
        with pytest.raises(error, match=message):
            call()


def test_a_refused_vjp_leaves_the_old_one():
    with pytest.raises(ValueError, match="VJP needs"):
        defvjp(lambda g, y: g)(exp)
    x = Tensor([0.0], requires_grad=True)
    exp(x).backward()
    assert x.grad.data == [1.0]


def test_an_operation_without_vjp_says_so():
    sign = primitive(np.sign)
    half = defvjp(lambda g, _y, _a: g)(primitive(lambda a, b: a))
    x = Tensor([2.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match="sign has no VJP for input 0"):
        sign(x).backward()
    assert half(x, 1.0).data == [2.0]
    with pytest.raises(NotImplementedError, match="no VJP for input 1"):
        half(1.0, x).backward()


def test_a_freed_record_cannot_be_swept_again():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier sweep"):
        y.backward()
    assert x.grad.data.tolist() == [4.0, 8.0]


def test_unbroadcast_undoes_broadcasting():
    for shape in [(), (1,), (3,), (1, 3), (2, 1), (2, 3), (4, 1, 1)]:
        g = np.random.default_rng(0).normal(size=(4, 2, 3))
        t = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        (expected,) = torch.autograd.grad(t.expand(4, 2, 3), t, torch.tensor(g))
        assert np.allclose(unbroadcast(Tensor(g), shape).data, expected.numpy())


# the listing, the benchmark, the figures


def test_draw_graph_lists_the_record():
    x = Tensor(2.0, requires_grad=True)
    assert draw_graph(x * x + 1).splitlines() == [
        "#0 () leaf",
        "#1 () mul(#0, #0)",
        "#2 () add(#1, const)",
    ]


def test_benchmark_compares_equal_answers():
    from benchmarks.autograd import cases

    found = list(cases())
    assert len(found) == 3
    for name, ours, rival, target in found[:2]:
        assert ours() == pytest.approx(rival(), rel=1e-12), name
        assert target > 0


def test_figures_draw_in_both_modes():
    from _ext import svg

    frames = {n: svg.draw(getattr(module, n)) for n in dir(module) if n.startswith("figure_")}
    assert {n: len(drawn) for n, drawn in frames.items()} == {
        "figure_cost": 1,
        "figure_sweep": 5,
        "figure_tanh": 1,
    }
    cost = frames["figure_cost"][0].light  # what the alt text says
    assert all(f">{total}</text>" in cost for total in ("2.98438", "3", "4"))
    assert "4 + 20 + 20 = 44" in frames["figure_sweep"][-1].light.replace("\xa0", " ")


def test_operators_whose_other_side_is_no_tensor():
    x = Tensor(np.array([1.0, 2.0]))
    np.testing.assert_array_equal((4 / x).data, [4, 2])
    row = x.reshape((2, 1))
    np.testing.assert_array_equal(([[0, 1], [1, 0]] @ row).data, [[2], [1]])
    np.testing.assert_array_equal(x > 1.5, [False, True])
    np.testing.assert_array_equal(x > Tensor(np.array([0.0, 3.0])), [True, False])
    with no_grad():
        assert x.add_(1) is x
    np.testing.assert_array_equal(x.add_(1).data, [3, 4])  # nor is it recorded of constants
