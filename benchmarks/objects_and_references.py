"""Copying deeply, and remembering weakly: against the standard library's own modules."""

import copy
import weakref

from snippets.python.objects_and_references import WeakCache, deep_copy


class Item:
    """What can be referenced weakly."""


def nested_dicts() -> dict:
    """500 small dicts in a dict, each holding a list and a dict."""
    return {f"k{i}": {"a": i, "b": [i, i + 1], "c": {"d": "x"}} for i in range(500)}


def linked_objects() -> list:
    """Twenty instances in a ring, so that everything leads to everything."""
    ring = [Item() for _ in range(20)]
    for left, right in zip(ring, ring[1:] + ring[:1], strict=True):
        left.tags = {"near": (left, right)}  # type: ignore[attr-defined]
    return ring


def cases():
    nested = nested_dicts()
    yield (
        "deep_copy / copy.deepcopy, 500 nested dicts",
        lambda: deep_copy(nested),
        lambda: copy.deepcopy(nested),
        1.0,
    )
    ring = linked_objects()
    yield (
        "deep_copy / copy.deepcopy, 20 instances in a ring",
        lambda: deep_copy(ring),
        lambda: copy.deepcopy(ring),
        1.1,
    )
    items = [Item() for _ in range(200)]
    cache, rival = WeakCache(items.__getitem__), weakref.WeakValueDictionary(enumerate(items))
    for key in range(200):
        cache(key)
    yield (
        "WeakCache / weakref.WeakValueDictionary, 200 hits",
        lambda: [cache(key) for key in range(200)],
        lambda: [rival[key] for key in range(200)],
        2.0,
    )
