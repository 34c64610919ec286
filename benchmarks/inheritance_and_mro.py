"""C3 of a class with a 21-long MRO: against c3linear, and against CPython's own C code."""

import c3linear

from snippets.python.inheritance_and_mro import c3_linearize


def widely_derived() -> type:
    """A class with 4 parents and 15 grandparents and no diamond, in which nothing is met twice."""
    grandparents = [type(f"G{i}", (), {}) for i in range(15)]
    parents = [type(f"P{i}", tuple(grandparents[i::4]), {}) for i in range(4)]
    return type("Derived", tuple(parents), {})


def cases():
    cls = widely_derived()
    ancestors: dict = {}
    for base in cls.__bases__:
        c3_linearize(base, memo=ancestors)
    assert len(cls.__mro__) == 21
    yield (
        "c3_linearize / c3linear.mro, from nothing",
        lambda: c3_linearize(cls),
        lambda: c3linear.mro(cls),
        0.6,
    )
    yield (
        "c3_linearize / type.mro (C), both from the bases' orders",
        lambda: c3_linearize(cls, memo=dict(ancestors)),
        lambda: type.mro(cls),
        60,
    )
