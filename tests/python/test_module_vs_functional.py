"""The page's sentences on torch.nn and torch.nn.functional, with torch's classes as the oracle."""

import copy
import importlib.util
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import grad, stack_module_state, vmap

from snippets.common import records
from snippets.python import module_vs_functional as own
from snippets.python.module_vs_functional import Module, Parameter, functional_call, inventory

PAGE = Path(__file__).parents[2] / "python/module-vs-functional.md"


def same_state(ours, theirs):
    """Whether two state dicts agree in names, order and every bit."""
    ours, theirs = ours.state_dict(), theirs.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(t, theirs[n]) for n, t in ours.items())


def seeded(call, *args, seed=7):
    torch.manual_seed(seed)
    return call(*args)


# the same layer in several spellings


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 16, 31, 64, 100, 256, 784])
def test_linear_in_every_spelling(n):
    for m in (1, 2, 3, 10, 64):
        ours, theirs = own.Linear(n, m), nn.Linear(n, m)
        theirs.load_state_dict(ours.state_dict())
        W, b = theirs.weight, theirs.bias
        for batch in (1, 2, 5, 32):
            x = torch.randn(batch, n)
            y = F.linear(x, W, b)
            for other in (ours(x), theirs(x), torch.addmm(b, x, W.T)):
                assert torch.equal(other, y)
            assert torch.allclose(x @ W.T + b, y, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_one_seed_draws_the_same_layers(bias):
    pairs = [
        (own.Linear, nn.Linear, (6, 4), {}),
        (own.Conv2d, nn.Conv2d, (3, 4, 5), {"stride": 2}),
    ]
    for ours, theirs, sizes, options in pairs:
        a = seeded(partial(ours, *sizes, bias=bias, **options)).state_dict()
        b = seeded(partial(theirs, *sizes, bias=bias, **options)).state_dict()
        assert list(a) == list(b)
        assert all(torch.allclose(a[name], b[name], rtol=1e-6, atol=0) for name in a)


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2)
)
@settings(max_examples=60)
def test_conv2d(c, d, kernel, stride, padding):
    ours = own.Conv2d(c, d, kernel, stride, padding)
    theirs = nn.Conv2d(c, d, kernel, stride, padding)
    theirs.load_state_dict(ours.state_dict())
    for shape in ((2, c, 5, 6), (c, 4, 4)):
        x = torch.randn(shape)
        assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("p", [0, 0.25, 0.5, 0.9, 1])
def test_one_seed_drops_the_same_elements(p):
    x = torch.randn(100, 10)
    y = seeded(own.Dropout(p), x)
    assert torch.equal(y, seeded(nn.Dropout(p), x))
    assert torch.equal(y, seeded(F.dropout, x, float(p)))
    assert torch.equal(own.Dropout(p).eval()(x), x)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3), (4, 3, 5), (1, 3, 2)])
@pytest.mark.parametrize("momentum", [0.1, 0.9])
def test_batch_norm_and_its_running_statistics(shape, momentum):
    ours, theirs = own.BatchNorm1d(3, momentum=momentum), nn.BatchNorm1d(3, momentum=momentum)
    mean, var = torch.zeros(3), torch.ones(3)
    for _ in range(3):
        x = 5 + 2 * torch.randn(shape)
        y = F.batch_norm(x, mean, var, training=True, momentum=momentum)
        assert torch.equal(ours(x), y)
        assert torch.equal(theirs(x), y)
        assert torch.equal(ours.running_mean, mean)
        assert torch.equal(ours.running_var, var)
    assert same_state(ours, theirs)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_batch_norm_by_its_formula():
    x, norm = torch.randn(8, 3), own.BatchNorm1d(3)
    y = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(norm(x), y, atol=1e-6)
    assert torch.allclose(norm.running_mean, 0.1 * x.mean(0))
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * x.var(0, unbiased=True))


# random networks: one description, built from ours and from torch

blocks = st.lists(st.sampled_from(["linear", "plain", "norm", "dropout", "tanh", "nested"]))


def build(library, names, width=4):
    made = {
        "linear": lambda: library.Linear(width, width),
        "plain": lambda: library.Linear(width, width, bias=False),
        "norm": lambda: library.BatchNorm1d(width),
        "dropout": lambda: library.Dropout(0.3),
        "tanh": lambda: own.Lambda(torch.tanh) if library is own else nn.Tanh(),
        "nested": lambda: library.Sequential(
            library.Linear(width, width), library.BatchNorm1d(width)
        ),
    }
    return library.Sequential(*(made[name]() for name in names))


@given(blocks)
def test_states_of_networks_go_both_ways(names):
    ours, theirs = build(own, names), build(nn, names)
    assert theirs.load_state_dict(ours.state_dict()) == ([], [])
    assert same_state(ours, theirs)
    again = build(own, names)
    assert again.load_state_dict(theirs.state_dict()) == ([], [])
    assert same_state(again, theirs)
    for listing in ("named_parameters", "named_buffers", "named_modules"):
        a, b = (dict(getattr(net, listing)()) for net in (ours, theirs))
        assert list(a) == list(b)
    x = torch.randn(5, 4)
    for _ in range(2):
        a, b = seeded(ours, x), seeded(theirs, x)
        assert torch.equal(a, b)
    assert same_state(ours, theirs)
    if a.requires_grad:
        a.square().sum().backward()
        b.square().sum().backward()
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(p.grad, q.grad)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


@given(blocks, st.data())
@settings(max_examples=60)
def test_functional_calls_agree_with_torch(names, data):
    ours, theirs = build(own, names).eval(), build(nn, names).eval()
    theirs.load_state_dict(ours.state_dict())
    state = ours.state_dict()
    chosen = data.draw(st.sets(st.sampled_from(sorted(state)))) if state else set()
    new = {n: state[n] + 1 for n in chosen}
    x = torch.randn(5, 4)
    y = functional_call(ours, new, x)
    assert torch.equal(y, torch.func.functional_call(theirs, new, (x,)))
    assert same_state(ours, theirs)
    assert all(type(p) is Parameter for p in ours.parameters())


# names, order and sharing on a tree that has everything


def everything(library, parameter):
    class Inner(library.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("cache", torch.ones(1), persistent=False)
            self.register_buffer("count", torch.tensor(0))
            self.late = parameter(torch.zeros(2))
            self.nothing = parameter(torch.zeros(1))
            self.nothing = None
            self.register_buffer("empty", None)

    class Outer(library.Module):
        def __init__(self):
            super().__init__()
            self.first, self.shared = Inner(), Inner()
            self.again = self.shared
            self.tied = self.first.late
            self.scale = 2.0
            self.blocks = library.ModuleList([Inner()])
            self.blocks.append(Inner())
            self.register_buffer("step", torch.zeros(3))

    return Outer()


def test_names_and_order_on_a_tree_with_everything():
    ours, theirs = everything(own, Parameter), everything(nn, nn.Parameter)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for listing in ("named_parameters", "named_buffers", "named_modules"):
        a, b = ([n for n, _ in getattr(net, listing)()] for net in (ours, theirs))
        assert a == b, listing
    assert theirs.load_state_dict(ours.state_dict()) == ([], [])
    orders = [[], []]
    for net, order in zip((ours, theirs), orders, strict=True):
        assert net.apply(lambda m, order=order: order.append(type(m).__name__)) is net
    assert len(set(map(len, orders))) == 1
    assert orders[0] == orders[1]
    for net in (ours, theirs):
        assert {m.training for _, m in net.eval().named_modules()} == {False}
        assert {m.training for _, m in net.train().named_modules()} == {True}


def test_copies_keep_what_is_shared_and_share_nothing_with_the_original():
    net = everything(own, Parameter)
    twin = copy.deepcopy(net)
    assert twin.tied is twin.first.late
    assert twin.again is twin.shared
    assert twin.tied is not net.tied
    assert same_state(net, twin)
    with torch.no_grad():
        twin.tied.add_(1)
    assert not same_state(net, twin)


def test_state_dict_shares_memory():
    layer = own.Linear(2, 2)
    layer.state_dict()["bias"].fill_(3.0)
    assert layer.bias.tolist() == [3.0, 3.0]
    assert not layer.state_dict()["bias"].requires_grad


# strictness


def test_strict_loading_names_what_torch_names_and_copies_nothing():
    ours, theirs = build(own, ["linear", "norm"]), build(nn, ["linear", "norm"])
    theirs.load_state_dict(ours.state_dict())
    state = {n: t + 1 for n, t in ours.state_dict().items()} | {"9.weight": torch.zeros(1)}
    del state["1.running_mean"], state["0.bias"]
    expected = theirs.load_state_dict(state, strict=False)
    before = {n: t.clone() for n, t in ours.state_dict().items()}
    with pytest.raises(RuntimeError) as error:
        ours.load_state_dict(state)
    for name in ("'0.bias'", "'1.running_mean'", "'9.weight'"):
        assert name in str(error.value)
    assert all(torch.equal(t, before[n]) for n, t in ours.state_dict().items())
    assert ours.load_state_dict(state, strict=False) == expected
    assert same_state(ours, theirs)


@pytest.mark.parametrize("strict", [True, False])
def test_wrong_shapes_are_refused_in_any_case(strict):
    ours, theirs = own.Linear(2, 3), nn.Linear(2, 3)
    before = ours.bias.tolist()
    state = {"weight": torch.zeros(3, 3), "bias": torch.zeros(3)}
    for net in (ours, theirs):
        with pytest.raises(RuntimeError, match="weight"):
            net.load_state_dict(state, strict)
    assert ours.bias.tolist() == before
    assert theirs.bias.tolist() == [0, 0, 0]  # torch copied what fitted
    with pytest.raises(RuntimeError, match=r"weight: expected a tensor \[3, 2\], got \[3, 3\]"):
        ours.load_state_dict(state, strict)
    for bad in ("x", [0.0] * 3, np.zeros(3)):
        with pytest.raises(RuntimeError, match=r"bias: expected a tensor \[3\], got "):
            ours.load_state_dict({"weight": torch.zeros(3, 2), "bias": bad}, strict)
    assert ours.bias.tolist() == before
    assert ours.weight.any()


@pytest.mark.parametrize("bad", [None, 3, "weight", [("weight", 1)], own.Linear(1, 1)])
def test_a_state_is_a_mapping(bad):
    for call in (own.Linear(1, 1).load_state_dict, partial(functional_call, own.Linear(1, 1))):
        with pytest.raises(
            TypeError, match=f"expected tensors by name, got {re.escape(repr(bad))}"
        ):
            call(bad)


# registration


def test_forgotten_init():
    for library, parameter in ((own, Parameter), (nn, nn.Parameter)):
        for value in (parameter(torch.ones(1)), library.Linear(1, 1)):

            class Forgetful(library.Module):
                def __init__(self, value=value):
                    self.part = value

            with pytest.raises(AttributeError, match=r"__init__"):
                Forgetful()


def test_a_registered_name_keeps_its_kind():
    norm = own.BatchNorm1d(2)
    norm.running_mean = torch.ones(2)
    assert norm.state_dict()["running_mean"].tolist() == [1, 1]
    norm.bias = None
    assert "bias" not in norm.state_dict()
    for name, kind in (("weight", "Parameter"), ("running_var", "Tensor")):
        with pytest.raises(TypeError, match=f"'{name}' must be a {kind} or None, got 3"):
            setattr(norm, name, 3)
    with pytest.raises(TypeError, match="'weight' must be a Parameter or None, got tensor"):
        norm.weight = torch.ones(2)
    net = own.Sequential(norm)
    with pytest.raises(TypeError, match="'0' must be a Module or None, got 'x'"):
        setattr(net, "0", "x")


@pytest.mark.parametrize("name", ["", "a.b", "train", "forward", "_tree"])
def test_names_that_are_refused(name):
    module = Module()
    with pytest.raises(ValueError, match=f"got '{name}'"):
        module.register_buffer(name, torch.ones(1))
    with pytest.raises(ValueError, match=f"got '{name}'"):
        setattr(module, name, Parameter(torch.ones(1)))


def test_a_name_that_changes_its_kind_is_saved_or_not_like_torchs():
    states = []
    for library, parameter in ((own, Parameter), (nn, nn.Parameter)):
        module = library.Linear(1, 1)
        module.register_buffer("cache", torch.ones(1), persistent=False)
        assert "cache" not in module.state_dict()
        module.cache = parameter(torch.ones(1))
        states.append(list(module.state_dict()))
    assert states == [["weight", "bias", "cache"]] * 2


def test_register_buffer_refuses():
    layer = own.Linear(1, 1)
    with pytest.raises(ValueError, match="attribute 'weight' already exists"):
        layer.register_buffer("weight", torch.ones(1))
    with pytest.raises(TypeError, match="'b' must be a Tensor or None, got 3"):
        layer.register_buffer("b", 3)
    layer.register_buffer("b", torch.ones(1))
    assert list(layer.state_dict()) == ["weight", "bias", "b"]


def test_parameter():
    data = torch.ones(2)
    p = Parameter(data)
    assert p.is_leaf
    assert p.requires_grad
    assert p.data_ptr() == data.data_ptr()
    assert not Parameter(data, requires_grad=False).requires_grad
    assert type(p * 2) is type(p.detach()) is torch.Tensor
    for bad in (torch.tensor([1]), [1.0], None):
        with pytest.raises(TypeError, match="expected a floating-point tensor, got"):
            Parameter(bad)


# conversion, hooks


def test_to_keeps_parameters_and_counts():
    net = build(own, ["linear", "norm"])
    before = list(net.parameters())
    net(torch.randn(5, 4)).sum().backward()
    assert net.to(torch.float64) is net
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert {p.grad.dtype for p in net.parameters()} == {torch.float64}
    theirs = build(nn, ["linear", "norm"]).to(torch.float64)
    dtypes = [t.dtype for t in net.state_dict().values()]
    assert dtypes == [t.dtype for t in theirs.state_dict().values()]
    net(torch.randn(5, 4, dtype=torch.float64)).sum().backward()
    transient = everything(own, Parameter).to(torch.float64)
    assert transient.first.cache.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.int32, "float32", None])
def test_to_refuses_other_types(dtype):
    with pytest.raises(TypeError, match="expected a floating-point dtype, got"):
        own.Linear(1, 1).to(dtype)


def run_hooks(layer):
    """What hooks see and do; torch returns handles, ours returns what removes the hook."""
    log = []

    def remove(handle):
        getattr(handle, "remove", handle)()

    layer.register_forward_pre_hook(lambda m, args: log.append(("pre", args[0].item())))
    double = layer.register_forward_pre_hook(lambda m, args: args[0] * 2)
    layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    layer.register_forward_hook(lambda m, args, y: log.append((args[0].item(), m is layer)))
    negate = layer.register_forward_hook(lambda m, args, y: -y)
    results = [layer(torch.tensor([3.0])).item()]
    remove(negate)
    results.append(layer(torch.tensor([3.0])).item())
    remove(double)
    results.append(layer(torch.tensor([3.0])).item())
    return results, log, layer.forward(torch.tensor([3.0])).item()


def test_hooks_run_as_in_torch():
    ours, theirs = own.Lambda(lambda x: 10 * x), nn.Linear(1, 1)
    theirs.load_state_dict({"weight": torch.tensor([[10.0]]), "bias": torch.zeros(1)})
    assert run_hooks(ours) == run_hooks(theirs)
    assert run_hooks(own.Lambda(lambda x: 10 * x))[0] == [-70, 70, 40]


@pytest.mark.parametrize("name", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_may_remove_itself(name):
    layer, seen = own.Lambda(abs), []

    def once(module, args, *y):
        seen.append(args)
        remove()

    remove = getattr(layer, name)(once)
    getattr(layer, name)(lambda *_: seen.append("after"))
    assert (layer(-1), layer(-2)) == (1, 2)
    assert seen == [(-1,), "after", "after"]


@pytest.mark.parametrize("name", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_are_functions(name):
    with pytest.raises(TypeError, match="expected a function, got 3"):
        getattr(Module(), name)(3)


def test_a_module_without_forward():
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        own.ModuleList([own.Linear(1, 1)])(torch.ones(1))


# bad input


@pytest.mark.parametrize("bad", [0, -1])
def test_sizes(bad):
    match = f"must be an integer >= 1, got {bad}"
    for make in (
        lambda: own.Linear(bad, 1),
        lambda: own.Linear(1, bad),
        lambda: own.Conv2d(bad, 1, 1),
        lambda: own.Conv2d(1, bad, 1),
        lambda: own.Conv2d(1, 1, bad),
        lambda: own.Conv2d(1, 1, 1, bad),
        lambda: own.BatchNorm1d(bad),
    ):
        with pytest.raises(ValueError, match=match):
            make.__call__()


@pytest.mark.parametrize("size", [-1, 0.5, "3", None])
def test_what_is_no_size(size):
    with pytest.raises(ValueError, match=f"padding must be an integer >= 0, got {size!r}"):
        own._check_sizes(0, padding=size)
    if size == -1:
        with pytest.raises(ValueError, match="padding must be an integer >= 0, got -1"):
            own.Conv2d(1, 1, 1, padding=size)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), "x", None])
def test_probability(p):
    with pytest.raises(ValueError, match=f"p must be a number from 0 to 1, got {p!r}"):
        own.Dropout(p)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (own.Linear(3, 1), (2, 4), r"expected a tensor \[..., 3\], got \[2, 4\]"),
        (own.Conv2d(3, 1, 1), (2, 4, 5, 5), r"expected a tensor \[3, h, w\] .* got \[2, 4, 5, 5\]"),
        (own.Conv2d(3, 1, 1), (1, 1, 3, 5, 5), r"got \[1, 1, 3, 5, 5\]"),
        (own.BatchNorm1d(3), (2, 4), r"expected a tensor \[batch, 3\] or .* got \[2, 4\]"),
        (own.BatchNorm1d(3), (1, 3), r"more than one value a feature, got \[1, 3\]"),
    ],
)
def test_shapes(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(torch.ones(shape))


def test_an_input_that_is_no_row():
    spec = importlib.util.spec_from_file_location("plain", own.__file__)
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)  # as a reader has it, without the type checks of the tests
    for layer in (plain.Linear(3, 1), plain.Conv2d(3, 1, 1), plain.BatchNorm1d(3)):
        for bad, told in ((3, "3"), ([1.0], "[1.0]"), (None, "None"), (torch.tensor(1.0), "[]")):
            with pytest.raises(ValueError, match=f"expected a tensor .* got {re.escape(told)}$"):
                layer(bad)


def test_containers_and_functions():
    for make in (lambda: own.Sequential(F.relu), lambda: own.ModuleList([1])):
        with pytest.raises(TypeError, match=r"expected a Module, got"):
            make.__call__()
    with pytest.raises(TypeError, match="expected a function, got 3"):
        own.Lambda(3)
    layers = own.ModuleList(own.Linear(1, 1) for _ in range(3))
    assert len(layers) == 3
    assert layers[-1] is list(layers)[2]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"expected one of 3 modules, got {index}"):
            layers[index]


def test_modes_and_functions_that_are_refused():
    layer = own.Sequential(own.Linear(1, 1))
    for bad in ("eval", 1, None):
        with pytest.raises(TypeError, match=f"expected True or False, got {bad!r}"):
            layer.train(bad)
    with pytest.raises(TypeError, match="expected a function, got 3"):
        layer.apply(3)
    assert layer.training
    assert layer[0].training


# functional_call


class Counting(Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("cache", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.count.add_(1)
        if x is None:
            raise KeyError("broken")
        return x + self.cache


def test_functional_call_gives_back_what_it_borrowed():
    module, count = Counting(), torch.tensor(5.0)
    assert functional_call(module, {"count": count, "cache": torch.ones(())}, 1).item() == 2
    assert (count.item(), module.count.item(), module.cache.item()) == (6, 0, 0)
    with pytest.raises(KeyError, match="broken"):
        functional_call(module, {"count": count}, None)
    assert (count.item(), module.count.item()) == (7, 0)


def test_functional_call_refuses():
    layer = own.Linear(1, 1)
    with pytest.raises(TypeError, match="expected a Module, got Linear"):
        functional_call(nn.Linear(1, 1), {}, torch.ones(1))
    with pytest.raises(ValueError, match=r"no parameter or buffer named \['a', 'b'\]"):
        functional_call(layer, {"b": torch.ones(1), "a": torch.ones(1)}, torch.ones(1))
    for bad in (3, torch.ones(2, 1)):
        with pytest.raises(ValueError, match=r"weight: expected a tensor \[1, 1\], got"):
            functional_call(layer, {"weight": bad}, torch.ones(1))
    tied = own.Sequential(layer, layer)
    two = {"0.bias": torch.ones(1), "1.bias": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"'1\.bias' is tied to a name with another value"):
        functional_call(tied, two, torch.ones(1))
    assert functional_call(tied, dict.fromkeys(two, two["0.bias"]), torch.ones(1)).shape == (1,)


def test_tied_weights_move_together_as_in_torch():
    a, b = own.Linear(2, 2), nn.Linear(2, 2)
    b.load_state_dict(a.state_dict())
    ours, theirs = own.Sequential(a, a), nn.Sequential(b, b)
    new, x = {"1.weight": torch.randn(2, 2)}, torch.randn(3, 2)
    y = functional_call(ours, new, x)
    assert torch.equal(y, torch.func.functional_call(theirs, new, (x,)))


def test_ensembles_and_per_sample_gradients_agree_with_torch():
    nets = [build(nn, ["linear", "tanh", "linear"]) for _ in range(4)]
    params, _ = stack_module_state(nets)
    ours, x = build(own, ["linear", "tanh", "linear"]), torch.randn(5, 4)
    y = vmap(partial(functional_call, ours), (0, None))(params, x)
    z = vmap(lambda p, x: torch.func.functional_call(nets[0], p, (x,)), (0, None))(params, x)
    assert torch.equal(y, z)
    assert torch.allclose(y, torch.stack([net(x) for net in nets]), atol=1e-6)
    theta = {name: p.detach() for name, p in nets[0].named_parameters()}
    slopes = vmap(grad(lambda p, x: functional_call(ours, p, x).sum()), (None, 0))(theta, x)
    for i in range(5):
        nets[0].zero_grad()
        nets[0](x[i]).sum().backward()
        for name, p in nets[0].named_parameters():
            assert torch.allclose(slopes[name][i], p.grad, atol=1e-6)


def test_optimizers_train_our_modules_as_they_train_torchs():
    names = ["linear", "norm", "tanh", "linear"]
    ours, theirs = build(own, names), build(nn, names)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(16, 4)
    for net in (ours, theirs):
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()
    assert same_state(ours, theirs)


# the inventory

ARGUMENTS = {
    "ReLU": (), "ReLU6": (), "GELU": (), "ELU": (), "SELU": (), "SiLU": (), "Mish": (),
    "Sigmoid": (), "Tanh": (), "Softplus": (), "Softsign": (), "Softmax": (1,), "LogSoftmax": (1,),
    "Hardtanh": (), "LeakyReLU": (), "PReLU": (), "LogSigmoid": (), "Identity": (), "Flatten": (),
    "Linear": (4, 4), "Dropout": (), "AlphaDropout": (), "LayerNorm": (4,), "BatchNorm1d": (4,),
    "RMSNorm": (4,), "GroupNorm": (2, 4), "Threshold": (0.1, 0.0), "GLU": (), "Tanhshrink": (),
    "RNNCell": (4, 4), "LSTMCell": (4, 4), "GRUCell": (4, 4), "LSTM": (4, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_the_source_says_is_what_a_call_does(name, monkeypatch):
    found, called = inventory(), set()

    def spy(function, f):
        def recorded(*args, **kwargs):
            called.add(f)
            return function(*args, **kwargs)

        return recorded

    module = getattr(nn, name)(*ARGUMENTS[name])
    for f in found.ways:
        monkeypatch.setattr(F, f, spy(getattr(F, f), f))
    module(torch.randn(3, 4))
    named = found.uses[name]
    assert bool(called) == bool(named)
    assert called & named or not named


def test_inventory_holds_on_every_version():
    found = inventory()
    assert len(found.uses) > 150
    assert len(found.ways) > 120
    assert set(found.ways.values()) == {"direct", "through", "namesake", "none"}
    used = frozenset().union(*found.uses.values())
    assert used == {name for name, way in found.ways.items() if way == "direct"}
    assert "Module" not in found.uses
    assert "assert_int_or_pair" not in found.ways
    assert all(callable(getattr(F, name)) for name in found.ways)
    assert {"linear"} <= found.uses["Linear"]
    assert {"conv2d", "pad"} <= found.uses["LazyConv2d"]
    assert found.uses["LSTM"] == frozenset()
    containers = {"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}
    assert all(not found.uses[name] for name in containers)


# the page, the record, the benchmark, the figures

ROWS = re.findall(r"^\| [^|`]+ \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("library", [own, nn])
def test_every_row_of_the_table_is_true(library):
    assert len(ROWS) == 9
    assert all(f"\n>>> {row}\nTrue\n" in PAGE.read_text() for row in ROWS)

    def small():
        parts = library.Linear(2, 3), library.BatchNorm1d(3), library.Dropout(0.5)
        return library.Sequential(*parts)

    seen, sizes = [], []
    names = {
        "net": small(),
        "twin": small(),
        "x": torch.randn(5, 2),
        "library": library,
        "seen": seen,
        "sizes": sizes,
        "hook": lambda module, args, y: sizes.append(tuple(y.shape)),
        "torch": torch,
    }
    for row in ROWS:
        assert eval(row, names) is True, row  # noqa: S307 - on our page


def test_what_the_page_says_of_the_record():
    results = records.load("python/module-vs-functional").results
    for ways in results["operations"].values():
        assert len(set(ways.values())) == 1
    for layer, table in results["ratio"].items():
        excess = {w: r["nn"] - 1 for w, r in table.items()}
        assert excess["w1"] > 0.5 > excess["w1024"], layer
        assert table["w1"]["own"] < table["w1"]["nn"]
    assert results["ratio"]["linear"]["w1024"]["nn"] < results["ratio"]["relu"]["w1024"]["nn"]
    assert max(results["overhead"].values()) < 1
    assert results["below_a_tenth"] == {"linear": 256, "relu": "beyond"}
    own_noise = [abs(r["F"] - 1) for table in results["ratio"].values() for r in table.values()]
    assert results["noise"] == pytest.approx(max(own_noise), abs=1e-4)
    assert results["noise"] < 0.05
    counts = results["inventory"]
    ways = ("direct", "through", "namesake", "none")
    assert sum(counts[way] for way in ways) == counts["functions"]


def test_benchmark_compares_equal_answers():
    from benchmarks.module_vs_functional import cases

    found = list(cases())
    assert len(found) == 4
    for name, ours, theirs, target in found:
        a, b = ours(), theirs()
        same = list(a) == list(b) if isinstance(a, dict) else a.shape == b.shape
        values = a.values() if isinstance(a, dict) else [a]
        others = b.values() if isinstance(b, dict) else [b]
        assert same, name
        assert all(torch.equal(v, o) for v, o in zip(values, others, strict=True)), name
        assert target > 0


def test_figures_draw():
    from _ext import svg

    figures = [name for name in dir(own) if name.startswith("figure_")]
    frames = {name: svg.draw(getattr(own, name)) for name in figures}
    assert {name: len(drawn) for name, drawn in frames.items()} == {
        "figure_inventory": 1,
        "figure_overhead": 1,
        "figure_split": 1,
    }
    split = frames["figure_split"][0].light
    for text in ("running_mean", "training", "weight", "batch_norm", "nn.Dropout"):
        assert text in split


def test_a_parameter_that_the_memo_knows_is_not_copied_again():
    weight, known = Parameter(torch.ones(2)), Parameter(torch.zeros(2))
    assert weight.__deepcopy__({id(weight): known}) is known
    assert torch.equal(copy.deepcopy(weight), weight)
