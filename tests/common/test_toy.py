"""snippets/common/toy.py: the half circles are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from snippets.common.toy import two_moons


def distance(points, curve):
    return np.linalg.norm(points[:, None] - curve, axis=2).min(1)


def test_moons_lie_on_the_curves_of_scikit_learn():
    theirs, label = make_moons(2000, shuffle=False, noise=0)
    ours = two_moons(1000, 0, seed=3)
    upper = distance(ours, theirs[label == 0]) < 2e-3
    lower = distance(ours, theirs[label == 1]) < 2e-3
    assert (upper.sum(), lower.sum()) == (500, 500)
    assert (upper | lower).all()


def test_moons_are_those_of_their_seed_and_spread_with_the_noise():
    assert np.array_equal(two_moons(50, seed=1), two_moons(50, seed=1))
    assert not np.array_equal(two_moons(50, seed=1), two_moons(50, seed=2))
    noise = two_moons(20000, 0.1, seed=4) - two_moons(20000, 0, seed=4)
    assert noise.std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(("n", "noise"), [(1, 0.1), (10, -0.1)])
def test_bad_input_is_named(n, noise):
    with pytest.raises(ValueError, match=f"n must be >= 2 and noise >= 0, got {n} and {noise}"):
        two_moons(n, noise)
