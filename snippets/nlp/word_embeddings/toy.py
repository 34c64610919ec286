"""A corpus made to tell apart “always together” from “in the same company”."""

import numpy as np

from .lookup import check_positive


def together_or_alike(n: int, seed: int = 0) -> list[list[str]]:
    """Return n sentences, half of each kind, all their other words drawn anew.

    忐 and 忑 stand side by side whenever they occur: a… b… 忐 忑 c… d….
    甲 and 乙 never meet, but keep the same company: e… f… 甲 g… h…, or with 乙.

    Raises:
        ValueError: n is below 1.
    """
    check_positive(n=n)
    rng = np.random.default_rng(seed)
    sentences = []
    for kind, places in zip(
        rng.integers(4, size=n),
        rng.integers(20, size=(n, 4)),
        strict=True,
    ):
        letters = "abcd" if kind < 2 else "efgh"
        before, *rest = (
            f"{letter}{i}"  # such as b7
            for letter, i in zip(letters, places, strict=True)
        )
        middle = ["忐", "忑"] if kind < 2 else ["甲乙"[kind - 2]]
        sentences.append([before, rest[0], *middle, *rest[1:]])
    return sentences
