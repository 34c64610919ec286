"""`make new ARTICLE=nlp/bert TITLE=BERT`: write the page, module and test of a new article.

What it writes passes `make test` as it stands, and shows once how each kind of claim is made.
"""

import datetime
import keyword
import os
import re
import sys
from pathlib import Path
from string import Template

CATEGORIES = ("python", "nlp", "generative", "cv", "large-model")

PAGE = """\
---
category: $category
date: $today
updated: $today
description: 前 n 个奇数的和为什么是平方数。
tags: [草稿]
prerequisites: []
---

($slug)=
# $title

把 1、3、5、7 依次加起来，得到 1、4、9、16。
为什么总是平方数？

($slug/derivation)=
## 推导

第 $$k$$ 个奇数是 $$2k-1$$，而 $$k^2-(k-1)^2=2k-1$$，所以相邻两项相消：

$$$$
\\sum_{k=1}^{n} (2k-1) = \\sum_{k=1}^{n} \\bigl(k^2-(k-1)^2\\bigr) = n^2
$$$$ ($slug-sum)

($slug/code)=
## 代码

左边照公式 {eq}`$slug-sum` 逐项相加：

```{literalinclude} ../$module_path
:pyobject: sum_of_odd_numbers
```

```{doctest}
>>> from $module import sum_of_odd_numbers
>>> [sum_of_odd_numbers(n) for n in range(1, 5)]
[1, 4, 9, 16]
```

```{drawn} $module.figure_sums
:alt: 四个点落在抛物线 n² 上
:name: $slug-fig-sums

奇数的部分和与 $$n^2$$。
```
"""

MODULE = '''\
"""Sums of odd numbers: the smallest article, to be replaced by a real one.

Symbols: n, the number of terms; k, the index of a term.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sum_of_odd_numbers(n: int) -> int:
    """Add the first n odd numbers, the left side of Eq. ($slug-sum).

    Raises:
        ValueError: n is negative.
    """
    if n < 0:
        raise ValueError(f"n must be >= 0, got {n}")
    return sum(2 * k - 1 for k in range(1, n + 1))


def figure_sums() -> "Figure":
    """Draw the sums over the parabola n^2."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    figure = Figure(figsize=(7.2, 3))
    axes = figure.subplots()
    n = range(1, 5)
    axes.plot(n, [k**2 for k in n], color=plot.MUTED)
    axes.plot(n, [sum_of_odd_numbers(k) for k in n], "o", color=plot.CYCLE[0])
    axes.set_xlabel("n")
    return figure
'''

TEST = """\
import pytest

from $module import sum_of_odd_numbers


@pytest.mark.parametrize("n", [0, 1, 2, 10, 1000])
def test_sum_is_the_square(n):
    assert sum_of_odd_numbers(n) == n**2


def test_negative_n_is_refused():
    with pytest.raises(ValueError, match="n must be >= 0, got -1"):
        sum_of_odd_numbers(-1)
"""


def create(root: Path, article: str, title: str, today: datetime.date) -> list[Path]:
    """Write the three files of `article` ("category/slug") below `root`; return their paths.

    Raises:
        ValueError: the name or the title is ill-formed, or the name is reserved.
        FileExistsError: one of the three files is there already. Nothing is written in either case.
    """
    category, _, slug = article.partition("/")
    name = slug.replace("-", "_")
    if category not in CATEGORIES or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug):
        raise ValueError(
            f"ARTICLE must be category/slug with a category of {', '.join(CATEGORIES)} and a slug "
            f"of lower-case words joined by hyphens, got {article!r}"
        )
    if keyword.iskeyword(name) or slug == "index" or slug.endswith("-run"):
        raise ValueError(f"the slug {slug!r} is reserved: a keyword, the index, or a recorded run")
    if len(title.strip().splitlines()) != 1:
        raise ValueError(f"TITLE must be one line of text, got {title!r}")
    folder = category.replace("-", "_")
    files = {
        f"{category}/{slug}.md": PAGE,
        f"snippets/{folder}/{name}.py": MODULE,
        f"tests/{folder}/test_{name}.py": TEST,
    }
    if existing := [path for path in files if (root / path).exists()]:
        raise FileExistsError(f"{', '.join(existing)} exists already; nothing was written")
    if (root / f"snippets/{folder}/{name}").exists():
        raise FileExistsError(f"snippets/{folder}/{name}/ exists already; nothing was written")
    values = {
        "category": category,
        "slug": slug,
        "title": title.strip(),
        "today": today.isoformat(),
        "module": f"snippets.{folder}.{name}",
        "module_path": f"snippets/{folder}/{name}.py",
    }
    written = []
    for path, template in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(Template(template).substitute(values), encoding="utf-8")
        written.append(root / path)
    return written


if __name__ == "__main__":
    try:
        paths = create(
            Path.cwd(),
            os.environ.get("ARTICLE", ""),
            os.environ.get("TITLE", ""),
            datetime.date.today(),
        )
    except (ValueError, FileExistsError) as error:
        sys.exit(f"make new: {error}")
    print("\n".join(str(path.relative_to(Path.cwd())) for path in paths))
