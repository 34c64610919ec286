"""A count is an integer, not below the least one, and no Boolean."""

import pytest

from snippets.common.checks import check_count


@pytest.mark.parametrize(("value", "least"), [(1, 1), (7, 1), (2, 2), (0, 0)])
def test_counts_pass(value, least):
    check_count("n", value, least)


@pytest.mark.parametrize(
    ("value", "least", "got"),
    [(0, 1, "0"), (-3, 1, "-3"), (1, 2, "1"), (True, 1, "True"), (2.0, 1, "2.0"), ("3", 1, "'3'")],
)
def test_what_is_none_is_named_with_its_value(value, least, got):
    with pytest.raises(ValueError, match=f"^n must be an integer >= {least}, got {got}$"):
        check_count("n", value, least)
