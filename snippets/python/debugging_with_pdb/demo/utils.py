"""Arithmetic for pdb_demo.py; one of the functions is wrong."""


def add(a, b):
    """Return the sum of two numbers."""
    return a + b


def mean(values):
    """Return the arithmetic mean of a list."""
    total = 0
    for value in values:
        total = add(value, value)
    return total / len(values)


def shares(values):
    """Return each value as a share of the sum."""
    return [value / sum(values) for value in values]
