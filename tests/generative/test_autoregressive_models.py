"""Normalisation by counting all vectors, gradients, masks, sampling, and five libraries."""

from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
import zuko
from hypothesis import given
from hypothesis import strategies as st
from pyro.nn.auto_reg_nn import create_mask
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from torch.autograd import gradcheck
from torch.autograd.functional import jacobian
from torch.autograd.graph import saved_tensors_hooks
from torch.distributions import Bernoulli

from snippets.common import records
from snippets.common.data import small_digits, split
from snippets.generative.autoregressive_models import (
    FVSBN,
    MADE,
    NADE,
    BernoulliMixture,
    ClassConditional,
    MaskedLinear,
    all_states,
    bernoulli_log_prob,
    fit,
    fit_classes,
    fit_fvsbn,
    fit_mixture,
    made_degrees,
    made_masks,
    nade_logits_naive,
    nade_sample_naive,
    nats_to_bits_per_dim,
    posterior,
    table_size,
)
from snippets.generative.autoregressive_models.base import Autoregressive
from snippets.generative.autoregressive_models.fvsbn import _descend
from snippets.generative.autoregressive_models.nade import _Recursion
from snippets.generative.autoregressive_models_run import SEVEN, draw, pack


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def scattered(model, scale=1.0, seed=0):
    """The model in float64 with parameters drawn at random."""
    model = model.double()
    for p in model.parameters():
        p.data.normal_(0, scale, generator=rng(seed))
    return model


MODELS = {
    "fvsbn": lambda dim: FVSBN(dim),
    "nade": lambda dim: NADE(dim, 5),
    "made": lambda dim: MADE(dim, [12]),
    "made deep": lambda dim: MADE(dim, [12, 9], direct=False),
    "made orders": lambda dim: MADE(dim, [12], num_masks=4, natural_order=False),
    "made connections": lambda dim: MADE(dim, [12], num_masks=3),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@pytest.fixture(scope="module")
def digits():
    """Binary 8 x 8 digits and classes: training and test part."""
    grey, y = small_digits()
    x = torch.tensor(grey >= 8).double()
    train, test = split(len(x), 1297, 500)
    return x[train], x[test], torch.tensor(y[train]), torch.tensor(y[test])


# --- counting ------------------------------------------------------------------------------------


def test_tables_need_as_many_numbers_as_the_joint_table():
    assert [table_size(n) for n in (1, 2, 3, 10)] == [1, 3, 7, 1023]
    assert sum(2 ** (i - 1) - 1 for i in (1,)) == 0  # the common slip: nothing for one coin


def test_all_states_are_all_different():
    states = all_states(6)
    assert states.shape == (64, 6)
    assert len({tuple(row) for row in states.tolist()}) == 64
    assert states[5].tolist() == [0, 0, 0, 1, 0, 1]


def test_twenty_variables_still_have_a_table():
    assert all_states(20)[-1].tolist() == [1] * 20
    with pytest.raises(ValueError, match=r"n must be <= 20, .* got 21"):
        all_states(21)


def test_log_prob_is_that_of_torch_distributions():
    logits = torch.randn(7, 9, generator=rng())
    x = torch.bernoulli(torch.full((7, 9), 0.5), generator=rng(1))
    expected = Bernoulli(logits=logits).log_prob(x).sum(1)
    torch.testing.assert_close(bernoulli_log_prob(logits, x), expected)


def test_large_logits_stay_finite_where_sigmoid_then_log_does_not():
    logits, x = torch.tensor([[40.0, -40.0]]), torch.tensor([[0.0, 1.0]])
    p = logits.sigmoid()
    naive = (x * p.log() + (1 - x) * (1 - p).log()).sum()
    assert naive == -torch.inf
    assert bernoulli_log_prob(logits, x).item() == -80


def test_bits():
    assert nats_to_bits_per_dim(784 * np.log(2), 784) == pytest.approx(1)


@every_model
def test_every_model_sums_to_one(make):
    total = scattered(make(10), 0.7).log_prob(all_states(10)).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("k", range(4))
def test_each_mask_of_an_order_agnostic_made_sums_to_one(k):
    made = scattered(MADE(8, [20], num_masks=4, natural_order=False))
    assert made.log_prob(all_states(8), k).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_one_variable_is_enough():
    for make in MODELS.values():
        model = scattered(make(1))
        assert model.log_prob(all_states(1)).exp().sum().item() == pytest.approx(1)
        assert model.sample(3, generator=rng()).shape == (3, 1)


# --- FVSBN ---------------------------------------------------------------------------------------


def test_fvsbn_is_one_logistic_regression_per_pixel(digits):
    train, test, *_ = digits
    model = fit_fvsbn(train)
    logits = torch.empty_like(test)
    furthest = 0.0
    for i in range(64):
        target = train[:, i].numpy()
        if i == 0 or target.min() == target.max():
            logits[:, i] = model.bias.detach()[i]
            continue
        rival = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000)
        rival.fit(train[:, :i].numpy(), target)
        coefficients = torch.tensor(rival.coef_[0])
        furthest = max(furthest, (model.W[i, :i] - coefficients).abs().max().item())
        logits[:, i] = test[:, :i] @ coefficients + rival.intercept_[0]
    assert furthest < 1e-3
    mine, rivals = (
        -p.mean().item() for p in (model.log_prob(test), bernoulli_log_prob(logits, test))
    )
    assert mine == pytest.approx(rivals, abs=1e-4)


def test_newton_ends_where_the_gradient_is_zero(digits):
    train = digits[0][:, 16:32]
    model = fit_fvsbn(train, 2.5)
    loss = -model.log_prob(train).sum() + 2.5 / 2 * model.W.tril(-1).square().sum()
    loss.backward()
    varied = (train != train[0]).any(0)
    assert model.W.grad[varied].abs().max() < 1e-7
    assert model.bias.grad[varied].abs().max() < 1e-7


def test_a_pixel_that_never_changes_gets_its_smoothed_frequency():
    x = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    model = fit_fvsbn(x)
    assert model.bias[0].sigmoid().item() == pytest.approx(1 / 5)
    assert model.W[:, 0].abs().max() == 0


def test_a_step_that_goes_uphill_is_halved_thirty_times_and_no_more():
    theta, ones = torch.zeros(1, 1).double(), torch.ones(4, 1).double()
    step = torch.full((1, 1), 2.0**40).double()  # away from x = 1
    moved = _descend(theta, step, ones, ones, torch.zeros(1, 1).double())
    assert moved.item() == -(2.0**10)


def test_separable_data_stay_finite():
    x = torch.eye(6)[torch.arange(6).repeat(50)]
    model = fit_fvsbn(x, 1e-3)
    assert all(torch.isfinite(p).all() for p in model.parameters())


# --- NADE ----------------------------------------------------------------------------------------


def test_recursion_is_the_full_sum():
    nade, x = scattered(NADE(12, 7)), all_states(12)[::37]
    torch.testing.assert_close(nade(x), nade_logits_naive(nade, x), rtol=0, atol=1e-12)


def test_gradient_of_the_recursion():
    nade = scattered(NADE(6, 4))
    x = torch.rand(3, 6, dtype=torch.float64, generator=rng()).requires_grad_()
    assert gradcheck(_Recursion.apply, (x, nade.W, nade.c, nade.V, nade.bias))


def test_gradient_is_that_of_autograd_through_the_full_sum():
    nade, x = scattered(NADE(12, 7)), all_states(12)[::37]
    grads = []
    for logits in (nade(x), nade_logits_naive(nade, x)):
        nade.zero_grad()
        (-bernoulli_log_prob(logits, x).mean()).backward()
        grads.append([p.grad.clone() for p in nade.parameters()])
    for mine, rival in zip(*grads, strict=True):
        torch.testing.assert_close(mine, rival, rtol=0, atol=1e-12)


def test_undoing_the_additions_loses_little_in_single_precision():
    grads = []
    x = torch.bernoulli(torch.full((8, 784), 0.3), generator=rng(1))
    for dtype in (torch.float32, torch.float64):
        nade = NADE(784, 20)
        nade.W.data.mul_(10)
        nade = nade.to(dtype)
        nade.loss(x.to(dtype), rng()).backward()
        grads.append(nade.W.grad.double())
    assert (grads[0] - grads[1]).norm() / grads[1].norm() < 1e-5


def saved_bytes(run):
    """Bytes of the distinct storages that backward will need."""
    seen = {}

    def pack(t):
        seen[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with saved_tensors_hooks(pack, lambda t: t):
        kept = run()
    return sum(seen.values()), kept


def test_recursion_keeps_one_hidden_state_where_the_full_sum_keeps_all():
    batch, dim, hidden = 32, 100, 50
    nade, x = NADE(dim, hidden), torch.zeros(batch, dim)
    mine, _ = saved_bytes(lambda: nade(x))
    rival, _ = saved_bytes(lambda: nade_logits_naive(nade, x))
    own = 4 * (batch * dim + 2 * dim * hidden + batch * hidden)
    assert mine == own
    assert rival > 4 * batch * dim * hidden


# --- MADE ----------------------------------------------------------------------------------------


@given(
    st.integers(1, 9),
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_no_path_leads_from_a_variable_to_itself_or_before(dim, sizes, seed, random):
    order = list(range(dim))
    random.shuffle(order)
    for generator in (None, rng(seed)):
        degrees = made_degrees(dim, sizes, order=order, generator=generator)
        paths = torch.eye(dim)
        for mask in made_masks(degrees):
            paths = mask.float() @ paths
        in_order = paths[order][:, order]
        assert torch.equal(in_order, in_order.tril(-1))


@pytest.mark.parametrize("hidden", [[8], [8, 8]])
def test_reach_is_that_of_pyro_and_zuko(hidden):
    dim = 5
    mine = torch.eye(dim)
    for mask in made_masks(made_degrees(dim, hidden)):
        mine = mask.float() @ mine
    masks, _ = create_mask(dim, 0, hidden, torch.arange(dim), 1)
    theirs = torch.eye(dim)
    for mask in masks:
        theirs = mask.float() @ theirs
    below = torch.ones(dim, dim).tril(-1).bool()
    zukos = zuko.nn.MaskedMLP(below, hidden_features=[64] * len(hidden))
    reach = jacobian(zukos, torch.randn(dim, generator=rng())) != 0
    assert torch.equal(mine > 0, below)
    assert torch.equal(theirs > 0, below)
    assert torch.equal(reach, below)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_pyros_permutation_is_our_order(order):
    masks, _ = create_mask(4, 0, [12], torch.tensor(order), 1)
    mine = made_masks(made_degrees(4, [12], order=order))
    theirs = masks[1].float() @ masks[0].float() > 0
    assert torch.equal(mine[1].float() @ mine[0].float() > 0, theirs)


@every_model
def test_jacobian_is_strictly_lower_triangular(make):
    model = scattered(make(7))
    x = torch.full((7,), 0.5, dtype=torch.float64)
    if isinstance(model, MADE):
        order = model.degrees(0)[0].argsort()
        run = lambda x: model._masked(x[None], model._masks(model.degrees(0)))[0]  # noqa: E731
    elif isinstance(model, NADE):
        order = torch.arange(7)
        run = lambda x: nade_logits_raw(model, x[None])[0]  # noqa: E731
    else:
        order = torch.arange(7)
        run = lambda x: x @ model.W.tril(-1).T + model.bias  # noqa: E731
    reach = jacobian(run, x)[order][:, order]
    assert torch.equal(reach, reach.tril(-1))
    assert (reach.tril(-1) != 0).sum() >= 21 - 6


def nade_logits_raw(model, x):
    return _Recursion.apply(x, model.W, model.c, model.V, model.bias)


def test_direct_connections_reach_what_few_hidden_units_do_not():
    narrow = made_masks(made_degrees(6, [2]))
    assert not (narrow[1].float() @ narrow[0].float())[5, 3]
    made = scattered(MADE(6, [2]))
    x = all_states(6)
    assert (
        made(x)[:, 5] - made(x - 2 * x * torch.eye(6)[3] + torch.eye(6)[3])[:, 5]
    ).abs().min() > 0


def test_direct_connections_are_added_as_they_stand():
    made = MADE(5, [3])
    with torch.no_grad():
        for layer in made.layers:
            layer.weight.zero_()
        made.skip.fill_(1)
    x = all_states(5).float()
    assert torch.equal(made(x), x.cumsum(1) - x)  # how many ones came before


def test_the_first_variable_has_only_its_bias():
    made = scattered(MADE(6, [9]))
    assert torch.equal(made(all_states(6))[:, 0], made.bias[0].expand(64))


@pytest.mark.parametrize("seed", range(20))
def test_no_drawn_unit_is_below_all_of_the_layer_before(seed):
    degrees = made_degrees(9, [2, 7], generator=rng(seed))
    assert degrees[2].min() >= degrees[1].min()
    assert made_masks(degrees)[1].any(1).all()


def test_training_draws_every_mask():
    made = scattered(MADE(5, [7], num_masks=3, natural_order=False))
    x, generator = all_states(5)[::3], rng()
    losses = {round(made.loss(x, generator).item(), 9) for _ in range(40)}
    assert losses == {round(-made.log_prob(x, k).mean().item(), 9) for k in range(3)}
    assert len(losses) == 3


def test_mixture_of_masks_is_the_mean_of_their_probabilities():
    made = scattered(MADE(5, [9], num_masks=3, natural_order=False))
    x = all_states(5)
    mean = torch.stack([made.log_prob(x, k).exp() for k in range(3)]).mean(0)
    torch.testing.assert_close(made.log_prob(x).exp(), mean)
    torch.testing.assert_close(
        made.log_prob(x, [0, 1]).exp(), sum(made.log_prob(x, k).exp() / 2 for k in (0, 1))
    )


# --- sampling ------------------------------------------------------------------------------------


def distance(drawn, p):
    """Total variation between the frequencies of drawn vectors and the probabilities p."""
    number = (drawn * 2 ** torch.arange(drawn.shape[1] - 1, -1, -1)).sum(1).long()
    seen = number.bincount(minlength=len(p)) / len(drawn)
    return (seen - p).abs().sum().item() / 2


@every_model
def test_samples_have_the_exact_frequencies(make):
    model = scattered(make(5))
    k = {"k": 0} if isinstance(model, MADE) else {}
    p = model.log_prob(all_states(5), **k).exp().detach()
    drawn = model.sample(20_000, generator=rng())
    assert distance(drawn, p) < 3 * (2**5 / 20_000) ** 0.5 / 2


def test_a_model_that_only_says_all_its_logits_draws_the_same_vectors_slowly():
    quick = scattered(FVSBN(5))
    slow = type("Slow", (FVSBN,), {"walk": Autoregressive.walk})(5).double()
    slow.load_state_dict(quick.state_dict())
    assert torch.equal(slow.sample(50, generator=rng()), quick.sample(50, generator=rng()))


def test_naive_sampling_draws_the_same_vectors():
    nade = scattered(NADE(9, 4))
    mine = nade.sample(50, generator=rng())
    assert torch.equal(mine, nade_sample_naive(nade, 50, generator=rng()))


@pytest.mark.parametrize("make", [MODELS["fvsbn"], MODELS["nade"]])
def test_a_prefix_is_kept_and_the_rest_has_the_exact_posterior(make):
    model = scattered(make(5))
    prefix = torch.tensor([1.0, 0.0], dtype=torch.float64)
    drawn = model.sample(20_000, prefix=prefix, generator=rng())
    x = torch.tensor([1.0, 0, 0, 0, 0], dtype=torch.float64)
    p = posterior(model.log_prob(all_states(5)).detach(), x, torch.arange(5) < 2)
    assert torch.equal(drawn[:, :2], prefix.expand(20_000, -1))
    assert distance(drawn, p) < 0.03


@pytest.mark.parametrize("make", [MODELS["fvsbn"], MODELS["nade"], MODELS["made"]])
def test_particles_approach_the_posterior_of_any_observed_set(make):
    model = scattered(make(6))
    x = torch.tensor([0.0, 1, 0, 1, 1, 0], dtype=torch.float64)
    observed = torch.tensor([False, True, False, False, True, True])
    p = posterior(model.log_prob(all_states(6)).detach(), x, observed)
    drawn = model.complete(x, observed, 20_000, particles=20_000, generator=rng())
    assert torch.equal(drawn[:, observed], x[observed].expand(20_000, -1))
    assert distance(drawn, p) < 0.04


def test_an_order_agnostic_made_completes_in_an_order_that_begins_with_what_is_known():
    made = scattered(MADE(4, [9], num_masks=2, natural_order=False))
    x = torch.tensor([0.0, 1, 0, 1], dtype=torch.float64)
    observed = torch.tensor([False, True, False, True])
    states = all_states(4)
    ps = [
        posterior(bernoulli_log_prob(made(states, 0, [1, 3, *rest]), states).detach(), x, observed)
        for rest in permutations([0, 2])
    ]
    seeds = range(60)
    drawn = torch.cat([made.complete(x, observed, 500, generator=rng(s)) for s in seeds])
    ends = [distance(drawn, w * ps[0] + (1 - w) * ps[1]) for w in torch.linspace(0, 1, 21)]
    assert min(ends) < 0.02


def copier(strength):
    """Two bits, the second a noisy copy of the first."""
    model = FVSBN(2).double()
    model.W.data[1, 0], model.bias.data[1] = 2.0 * strength, -strength
    return model


def test_clamping_ignores_what_comes_later():
    model, states = copier(40), all_states(2)
    x, observed = torch.tensor([0.0, 1.0]).double(), torch.tensor([False, True])
    p = posterior(model.log_prob(states).detach(), x, observed)
    clamped = torch.tensor([0, 0.5, 0, 0.5]).double()  # first bit drawn before looking
    assert (p - clamped).abs().sum().item() / 2 == pytest.approx(0.5)
    drawn = model.complete(x, observed, 100, generator=rng())
    assert distance(drawn, p) < 1e-9


@pytest.mark.parametrize(("strength", "mass"), [(2, 1.21), (5, 1.72), (10, 1.973), (20, 1.99982)])
def test_averaged_logits_have_a_mass_above_one(strength, mass):
    states = all_states(2)
    forward = copier(strength)(states)
    logits = (forward + forward.flip(1)[[0, 2, 1, 3]]) / 2
    total = bernoulli_log_prob(logits, states).exp().sum().item()
    assert total == pytest.approx(mass, abs=0.005)


# --- baselines, classifier, training -------------------------------------------------------------


def test_one_component_is_the_frequencies(digits):
    train = digits[0]
    model = fit_mixture(train)
    frequencies = (train.sum(0) + 1) / (len(train) + 2)
    torch.testing.assert_close(model.logits.sigmoid(), frequencies[None])


def test_em_never_loses(digits):
    train = digits[0]
    scores = [fit_mixture(train, 5, steps=s).log_prob(train).mean().item() for s in range(1, 12)]
    assert all(b > a - 1e-3 for a, b in pairwise(scores))
    assert scores[-1] > scores[0] + 2


def test_mixture_sums_to_one():
    mixture = BernoulliMixture(torch.randn(3).log_softmax(0).double(), torch.randn(3, 8).double())
    assert mixture.log_prob(all_states(8)).exp().sum().item() == pytest.approx(1)


def test_independent_classes_are_naive_bayes(digits):
    train, test, y, _ = digits
    mine = fit_classes(train, y, fit_mixture).predict_proba(test)
    rival = BernoulliNB(alpha=1).fit(train.numpy(), y.numpy())
    theirs = torch.tensor(rival.predict_proba(test.numpy()))
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_joint_of_vector_and_class_sums_to_one():
    joint = ClassConditional([scattered(FVSBN(5), seed=s) for s in range(3)], [1, 2, 5])
    states = all_states(5)
    each = [joint.log_prob(states, torch.full((32,), y)).exp().sum().item() for y in range(3)]
    assert each == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    torch.testing.assert_close(joint.predict_proba(states).sum(1), torch.ones(32).double())


@every_model
def test_training_keeps_the_best_held_out_parameters(make, digits):
    train, valid = digits[0][:, 20:28].float(), digits[1][:, 20:28].float()
    model = make(8)
    seen = fit(model, train, valid, steps=60, every=20)
    assert len(seen.history) == 3
    assert seen.best_step == 20 * (1 + int(np.argmin(seen.history)))
    assert -model.log_prob(valid).mean().item() == pytest.approx(min(seen.history), rel=1e-5)
    independent = -fit_mixture(train).log_prob(valid).mean().item()
    assert min(seen.history) < independent


def test_training_goes_back_to_the_best_step_when_it_is_not_the_last():
    x = torch.bernoulli(torch.full((50, 6), 0.7), generator=rng())
    other = 1 - x  # the better the model fits x, the worse this
    model = FVSBN(6)
    seen = fit(model, x, other, steps=60, every=20, lr=0.1)
    assert seen.best_step == 20
    assert seen.history[0] < seen.history[-1]
    assert -model.log_prob(other).mean().item() == pytest.approx(seen.history[0], rel=1e-5)


# --- the record ----------------------------------------------------------------------------------


def test_what_the_page_says_of_the_record():
    found = records.load("generative/autoregressive-models").results
    nll = {name: row["nll"] for name, row in found["mnist"].items()}
    best_first = ["nade", "fvsbn", "direct", "made", "mixture100", "mixture50", "mixture10"]
    assert sorted(nll, key=nll.get) == [*best_first, "independent"]
    by_step = found["mnist"]["made"]["history"]
    history = [by_step[f"s{step}"] for step in range(100, 1001, 100)]
    assert history[3] == min(history)
    assert history[3:] == sorted(history[3:])
    inputs = records.load("generative/autoregressive-models").inputs
    assert found["mnist"]["fvsbn"]["best_step"] == inputs["steps"]["fvsbn"]
    small = found["small"]
    assert small["made"] < small["nade"] < small["fvsbn"] < small["mixture30"]
    agnostic = found["agnostic"]
    assert agnostic["mixture"]["k64"] < agnostic["mixture"]["k8"] < agnostic["single"]
    assert agnostic["averaged"]["k8"] < agnostic["mixture"]["k64"]
    assert agnostic["top_given"] < agnostic["top_alone"]
    coins = found["binarisation"]
    assert coins["draws1"] > coins["draws8"] > nll["fvsbn"]
    assert coins["independent"] == pytest.approx(nll["independent"], abs=1)
    right = found["classifiers"]
    assert right["made"] > right["mixture10"] > right["softmax"] > right["independent"]
    times = {name: found["times"][name]["d784"] for name in ("recursion", "naive", "made")}
    assert times["made"] > 25 * times["recursion"]
    assert times["naive"] > 4 * times["recursion"]


def test_the_seven_of_the_record_is_the_one_drawn_here():
    recorded = records.load("generative/autoregressive-models").results["pictures"]["seven"]
    assert pack(draw([(float(x), float(y)) for x, y in SEVEN])[None]) == [recorded]


# --- bad input -----------------------------------------------------------------------------------

X3 = torch.zeros(2, 3)
BAD = {
    "n must be an integer >= 1, got 0": lambda: table_size(0),
    "n must be <= 20": lambda: all_states(21),
    "dim must be an integer >= 1, got 0": lambda: FVSBN(0),
    "dim must be an integer >= 1, got True": lambda: NADE(True, 3),
    "hidden must be an integer >= 1, got 0": lambda: NADE(3, 0),
    "hidden size must be an integer >= 1, got 0": lambda: MADE(3, [4, 0]),
    r"hidden_sizes must be integers >= 1, got \[\]": lambda: MADE(3, []),
    "num_masks must be an integer >= 1, got 0": lambda: MADE(3, [4], num_masks=0),
    "k must be at least 0 and below 2, got 2": lambda: MADE(3, [4], num_masks=2)(X3, 2),
    r"order must be a permutation of range\(3\), got \[0, 1, 1\]": lambda: made_degrees(
        3, [4], order=[0, 1, 1]
    ),
    r"order must be a permutation of range\(3\), got \[0, 1\]": lambda: MADE(3, [4])(X3, 0, [0, 1]),
    "degrees must begin with those of the inputs": lambda: made_masks([]),
    r"mask must have the shape of the weights \(2, 3\), got \(3, 2\)": lambda: MaskedLinear(3, 2)(
        X3, torch.ones(3, 2)
    ),
    r"x must have the shape \(batch, 3\), got \(2, 4\)": lambda: FVSBN(3)(torch.zeros(2, 4)),
    r"x must have the shape \(batch, 3\), got \(3,\)": lambda: NADE(3, 2)(torch.zeros(3)),
    "x must hold only 0 and 1, got 0.5": lambda: MADE(3, [4])(X3 + 0.5),
    "x must hold only 0 and 1, got nan": lambda: FVSBN(3).log_prob(X3 + torch.nan),
    "x must hold only 0 and 1, got 255": lambda: fit_mixture(X3 + 255),
    "x must hold only 0 and 1, got 2; binarise": lambda: nade_logits_naive(NADE(3, 2), X3 + 2),
    "logits and x must have the same shape": lambda: bernoulli_log_prob(X3[:1], X3),
    "dim must be an integer >= 1, got -1": lambda: nats_to_bits_per_dim(1.0, -1),
    "need data and a finite l2 > 0, got 2 vectors and 0": lambda: fit_fvsbn(X3, 0.0),
    "need data and a finite l2 > 0, got 0 vectors": lambda: fit_fvsbn(X3[:0]),
    "need vectors and a finite pseudo > 0, got 0 and 1.0": lambda: fit_mixture(X3[:0]),
    "k must be an integer >= 1, got 0": lambda: fit_mixture(X3, 0),
    "need vectors and a finite pseudo > 0, got 2 and 0": lambda: fit_mixture(X3, pseudo=0.0),
    "need vectors and a finite pseudo > 0, got 2 and inf": lambda: fit_mixture(
        X3, pseudo=float("inf")
    ),
    r"x must have the shape \(batch, dim\), got \(2,\)": lambda: fit_fvsbn(X3[:, 0]),
    "nll must be finite, got nan": lambda: nats_to_bits_per_dim(float("nan"), 3),
    "n must be an integer >= 1, got -1": lambda: NADE(3, 2).sample(-1),
    "n must be an integer >= 1, got 0 ?": lambda: MADE(3, [2]).sample(0),
    "prefix must be at most 3 values": lambda: FVSBN(3).sample(1, prefix=torch.zeros(4)),
    "x must hold only 0 and 1, got 7": lambda: FVSBN(3).sample(1, prefix=torch.tensor([7.0])),
    "x must be a vector of 3 values": lambda: FVSBN(3).complete(X3, torch.ones(3).bool(), 1),
    "observed must be 3 Booleans": lambda: FVSBN(3).complete(X3[0], torch.ones(3), 1),
    "particles must be an integer >= 1": lambda: FVSBN(3).complete(
        X3[0], torch.ones(3).bool(), 1, particles=0
    ),
    "x must be of torch.float32 as the model, got torch.int64": lambda: FVSBN(3)(X3.long()),
    "x must be of torch.float32 as the model, got torch.float64": lambda: NADE(3, 2)(X3.double()),
    "x must be of torch.float32 as the model, got torch.bool": lambda: MADE(3, [2])(X3.bool()),
    r"k must name at least one mask, got \[\]": lambda: MADE(3, [4]).log_prob(X3, []),
    r"log_prob must have the shape \(8,\), got \(4,\)": lambda: posterior(
        torch.zeros(4), X3[0], torch.ones(3).bool()
    ),
    "x must hold vectors, got 0": lambda: fit(FVSBN(3), X3[:0], X3, steps=1),
    "valid must hold vectors, got 0": lambda: fit(FVSBN(3), X3, X3[:0], steps=1),
    "need data to start from, got 0": lambda: FVSBN(3).start(X3[:0]),
    "lr must be positive and finite, got -1": lambda: fit(FVSBN(3), X3, X3, steps=1, lr=-1.0),
    "classes must be integers >= 0, got torch.float32": lambda: fit_classes(
        X3, torch.zeros(2), fit_mixture
    ),
    "classes must be integers >= 0, got torch.int64 from -1": lambda: fit_classes(
        X3, torch.tensor([0, -1]), fit_mixture
    ),
    "steps must be an integer >= 1, got 0": lambda: fit(FVSBN(3), X3, X3, steps=0),
    "need as many counts as models, got 1, 2": lambda: ClassConditional([FVSBN(3), FVSBN(3)], [1]),
    "count must be an integer >= 1, got 0": lambda: ClassConditional([FVSBN(3)], [0]),
    "y must be 2 integers from 0 to 0": lambda: ClassConditional([FVSBN(3)], [1]).log_prob(
        X3, torch.tensor([0, 1])
    ),
    "class 0 has no vector": lambda: fit_classes(X3, torch.tensor([1, 1]), fit_mixture),
    "need one class per vector": lambda: fit_classes(X3, torch.tensor([0]), fit_mixture),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()


def test_newton_that_may_not_step_says_so(digits):
    with pytest.raises(RuntimeError, match="no optimum within 1 Newton steps"):
        fit_fvsbn(digits[0], steps=1)
