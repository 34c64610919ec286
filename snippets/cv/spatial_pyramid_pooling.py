"""Two layers of one name: pooling into a fixed number of bins, and of stride 1.

The first (SPP-net, 2014) turns a map of any height and width into a vector of fixed length; the
second (YOLOv3-SPP, 2018) keeps height and width and widens what each cell sees.  Left out:
RoIAlign, dilated convolutions, training of a detector.

Symbols:

    x          a batch of feature maps, (N, C, H, W)
    n          bins along one axis of one level of the pyramid; ``levels`` lists them
    s_i, e_i   start and end of bin i: rows s_i to e_i - 1, Eq. (spatial-pyramid-pooling-bins)
    S          ``stride``: image pixels from one cell of the map to the next
    k, r       a window's width, odd, and its radius: k = 2 r + 1
    M_k        the maximum over k x k cells around a cell, -inf outside the map
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

Pool = Callable[..., Tensor]


def _check_count(name: str, value: Any) -> None:
    """Raise ValueError for what is no integer >= 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")


def _check_window(k: Any) -> None:
    """Raise ValueError for a window that has no middle."""
    if not isinstance(k, int) or isinstance(k, bool) or k < 1 or k % 2 == 0:
        raise ValueError(f"k must be an odd integer >= 1, got {k!r}")


def _check_levels(levels: Any) -> None:
    """Raise ValueError for what is no sequence of one or more counts."""
    if not isinstance(levels, Sequence) or not levels:
        wanted = "integers like (1, 2, 4)"
        raise ValueError(f"levels must be {wanted}, got {levels!r}")
    for n in levels:
        _check_count("every level", n)


def _check_map(x: Any, channels: int | None = None) -> None:
    """Raise ValueError for what is no batch of feature maps with a cell."""
    sides = "H, W" if channels else "C, H, W"
    wanted = f"(N, {channels or 'C'}, H, W) with {sides} >= 1"
    if not isinstance(x, Tensor) or not x.is_floating_point():
        given = x.dtype if isinstance(x, Tensor) else repr(x)
        raise ValueError(f"expected a float tensor {wanted}, got {given}")
    right = x.ndim == 4 and channels in (None, x.shape[1])
    if not right or 0 in x.shape[1:]:
        raise ValueError(f"expected the shape {wanted}, got {tuple(x.shape)}")


def bin_edges(size: int, n: int) -> list[tuple[int, int]]:
    """Return start and end of each bin: Eq. (spatial-pyramid-pooling-bins).

    Raises: ValueError unless size and n are integers >= 1.
    """
    _check_count("size", size)
    _check_count("n", n)
    return [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]


def paper_windows(size: int, n: int) -> list[tuple[int, int]]:
    """Return the windows that the paper trains with, start and end of each.

    They are ceil(size / n) wide and floor(size / n) apart; often they are not n
    or miss the end: Eq. (spatial-pyramid-pooling-count).

    Raises: ValueError unless 1 <= n <= size are integers.
    """
    _check_count("size", size)
    _check_count("n", n)
    if n > size:
        raise ValueError(f"n must be <= size, got {n} > {size}")
    width, step = -(-size // n), size // n
    return [(s, s + width) for s in range(0, size - width + 1, step)]


def _pool_axis(x: Tensor, n: int, dim: int, pool: Pool) -> Tensor:
    """Reduce one axis to n bins."""
    edges = bin_edges(x.shape[dim], n)
    bins = [pool(x.narrow(dim, s, e - s), dim=dim) for s, e in edges]
    return torch.stack(bins, dim)


_POOLS: dict[str, Pool] = {"max": torch.amax, "avg": torch.mean}


def spatial_pyramid_pool(
    x: Tensor,
    levels: Sequence[int] = (1, 2, 4),
    mode: str = "max",
) -> Float[Tensor, "N length"]:
    """Pool (N, C, H, W) into bins: Eq. (spatial-pyramid-pooling-length).

    The vector goes through the levels as listed; within a level, channel by
    channel; within a channel, bin by bin, row by row.  On rows, then on columns.

    Raises: ValueError for another shape, an empty or wrong level, another mode.
    """
    _check_map(x)
    _check_levels(levels)
    if mode not in _POOLS:
        raise ValueError(f"mode must be one of {[*_POOLS]}, got {mode!r}")
    pool, parts = _POOLS[mode], []
    for n in levels:
        rows = _pool_axis(x, n, -2, pool)
        parts.append(_pool_axis(rows, n, -1, pool).flatten(1))
    return torch.cat(parts, 1)


class SpatialPyramidPooling(nn.Module):
    """The layer of ``spatial_pyramid_pool``; it has no parameters.

    Raises: ValueError for an empty or wrong level.
    """

    def __init__(self, levels: Sequence[int] = (1, 2, 4)) -> None:
        """Remember the pyramid."""
        _check_levels(levels)
        super().__init__()
        self.levels = tuple(levels)

    def out_features(self, channels: int) -> int:
        """Return the length C * sum of n^2, what a Linear behind it needs.

        Raises: ValueError unless channels is an integer >= 1.
        """
        _check_count("channels", channels)
        return channels * sum(n * n for n in self.levels)

    def forward(self, x: Tensor) -> Float[Tensor, "N length"]:
        """Pool (N, C, H, W)."""
        return spatial_pyramid_pool(x, self.levels)


def project_window(box_xyxy: Tensor, stride: int) -> Int[Tensor, "R 4"]:
    """Return the first and last cell, both included, strictly inside each box.

    Eq. (spatial-pyramid-pooling-window).  Boxes (R, 4) and cells are x1, y1,
    x2, y2.  An axis without a cell inside gets the one nearest to the middle.

    Raises: ValueError unless the boxes are (R, 4), x1 < x2, y1 < y2, and no
    coordinate reaches 2**53, from where on not every pixel is a float.
    """
    _check_count("stride", stride)
    if not isinstance(box_xyxy, Tensor) or box_xyxy.shape[1:] != (4,):
        shape = tuple(getattr(box_xyxy, "shape", ())) or repr(box_xyxy)
        raise ValueError(f"boxes must be a tensor (R, 4), got {shape}")
    low, high = box_xyxy.double().split(2, dim=1)
    near = torch.maximum(low.abs(), high.abs()) < 2**53
    wrong = ~((low < high) & near).all(1)
    if wrong.any():
        given = box_xyxy[wrong][0].tolist()
        wanted = "finite (below 2**53) with x1 < x2, y1 < y2"
        raise ValueError(f"a box must be {wanted}, got {given}")
    first, last = (low / stride).floor() + 1, (high / stride).ceil() - 1
    nearest = ((low + high) / (2 * stride) + 0.5).floor()
    empty = last < first
    ends = [torch.where(empty, nearest, end) for end in (first, last)]
    return torch.cat(ends, 1).long()


def roi_spp(
    feat: Tensor,
    boxes: Tensor,
    stride: int,
    levels: Sequence[int] = (1, 2, 4),
) -> Float[Tensor, "R length"]:
    """Pool each box of the image from one shared map (1, C, h, w).

    With one level this is RoI pooling.  What lies outside the map is cut off.

    Raises: ValueError for another map, wrong levels, boxes or stride, and for a
    box without a cell of the map.
    """
    _check_map(feat)
    _check_levels(levels)
    if feat.shape[0] != 1:
        shape = tuple(feat.shape)
        raise ValueError(f"expected one map (1, C, h, w), got {shape}")
    cells = project_window(boxes, stride)
    end = cells.new_tensor([feat.shape[3], feat.shape[2]])
    outside = ((cells[:, :2] >= end) | (cells[:, 2:] < 0)).any(1)
    if outside.any():
        given = boxes[outside][0].tolist()
        size = f"(w, h) = {end.tolist()}"
        raise ValueError(f"box {given} lies outside a map of {size}")
    found = [feat.new_zeros(0, feat.shape[1] * sum(n * n for n in levels))]
    for x1, y1, x2, y2 in cells.clamp(min=0).tolist():
        window = feat[..., y1 : y2 + 1, x1 : x2 + 1]
        found.append(spatial_pyramid_pool(window, levels))
    return torch.cat(found)


def sliding_max(x: Tensor, k: int, dim: int) -> Tensor:
    """Return the maximum over k cells of one axis: M_k by doubling.

    Two windows of width w, s <= w apart, cover one of width w + s:
    Eq. (spatial-pyramid-pooling-minkowski).

    Raises: ValueError unless x is (N, C, H, W), k is odd and dim is -1 or -2.
    """
    _check_map(x)
    _check_window(k)
    if dim not in (-1, -2):
        raise ValueError(f"dim must be -1 or -2, got {dim!r}")
    r, width = k // 2, 1
    y = F.pad(x, (r, r) if dim == -1 else (0, 0, r, r), value=float("-inf"))
    while width < k:
        shift = min(width, k - width)
        left = y.shape[dim] - shift
        y = torch.maximum(y.narrow(dim, 0, left), y.narrow(dim, shift, left))
        width += shift
    return y


def _square_max(x: Tensor, k: int) -> Tensor:
    """M_k as torch computes it; its padding is -inf."""
    return F.max_pool2d(x, k, stride=1, padding=k // 2)


def _separable_max(x: Tensor, k: int) -> Tensor:
    """M_k as rows, then columns: Eq. (spatial-pyramid-pooling-separable)."""
    rows = F.max_pool2d(x, (1, k), stride=1, padding=(0, k // 2))
    return F.max_pool2d(rows, (k, 1), stride=1, padding=(k // 2, 0))


def _doubling_max(x: Tensor, k: int) -> Tensor:
    """M_k as rows, then columns, each by doubling."""
    return sliding_max(sliding_max(x, k, -1), k, -2)


def pool_pyramid(
    x: Tensor,
    k: int = 5,
    n: int = 3,
    separable: bool = True,
    doubling: bool = False,
) -> Float[Tensor, "N channels H W"]:
    """Concatenate x, M_k x, M_k M_k x, … on channels, n poolings deep.

    The windows grow as Eq. (spatial-pyramid-pooling-cascade) says.  ``doubling``
    replaces torch's pooling by maxima of shifted copies.

    Raises: ValueError unless x is (N, C, H, W), k is odd and n >= 1.
    """
    _check_map(x)
    _check_window(k)
    _check_count("n", n)
    pool = _separable_max if separable else _square_max
    maps = [x]
    for _ in range(n):
        maps.append((_doubling_max if doubling else pool)(maps[-1], k))
    return torch.cat(maps, 1)


class _Conv(nn.Sequential):
    """A 1 x 1 convolution, batch normalisation and SiLU, by the usual names."""

    def __init__(self, c1: int, c2: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, 1, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.SiLU()


class _Block(nn.Module):
    """c1 channels halved, made 1 + n maps of different reach, mixed to c2.

    Raises: ValueError unless c1 >= 2 and c2 >= 1 are integers.
    """

    def __init__(self, c1: int, c2: int, n: int) -> None:
        _check_count("c1", c1)
        _check_count("c2", c2)
        if c1 < 2:
            raise ValueError(f"c1 must be >= 2 to be halved, got {c1}")
        super().__init__()
        self.c1 = c1
        self.cv1 = _Conv(c1, c1 // 2)
        self.cv2 = _Conv(c1 // 2 * (n + 1), c2)


class SPP(_Block):
    """The block with one pooling per window, side by side.

    Raises: ValueError for wrong channels or an even or missing window.
    """

    def __init__(self, c1: int, c2: int, k: Sequence[int] = (5, 9, 13)) -> None:
        """Make both convolutions."""
        if not isinstance(k, Sequence) or not k:
            raise ValueError(f"k must be windows like (5, 9, 13), got {k!r}")
        for window in k:
            _check_window(window)
        super().__init__(c1, c2, len(k))
        self.k = tuple(k)

    def forward(self, x: Tensor) -> Float[Tensor, "N c2 H W"]:
        """Keep (H, W) of (N, c1, H, W)."""
        _check_map(x, self.c1)
        y = self.cv1(x)
        return self.cv2(torch.cat([y, *(_square_max(y, k) for k in self.k)], 1))


class SPPF(_Block):
    """The block with one window, n times in a row; weights fit those of SPP.

    Raises: ValueError for wrong channels, an even window or n < 1.
    """

    def __init__(self, c1: int, c2: int, k: int = 5, n: int = 3) -> None:
        """Make both convolutions."""
        _check_window(k)
        _check_count("n", n)
        super().__init__(c1, c2, n)
        self.k, self.n = k, n

    def forward(self, x: Tensor) -> Float[Tensor, "N c2 H W"]:
        """Keep (H, W) of (N, c1, H, W)."""
        _check_map(x, self.c1)
        return self.cv2(pool_pyramid(self.cv1(x), self.k, self.n))


def darknet_to_ultralytics_order(weight: Tensor) -> Float[Tensor, "O C 1 1"]:
    """Reorder the input of a 1 x 1 convolution from 13, 9, 5, x to x, 5, 9, 13.

    It is its own inverse.  Raises: ValueError unless weight is (O, 4c, 1, 1).
    """
    _check_map(weight)
    if weight.shape[1] % 4 or weight.shape[2:] != (1, 1):
        given = tuple(weight.shape)
        raise ValueError(f"weight must be (O, 4c, 1, 1), got {given}")
    return torch.cat(weight.chunk(4, dim=1)[::-1], 1)


def figure_bins():
    """Show 4 x 4 bins on two maps; a cell is darker where bins overlap."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    shades = {1: plot.GRID, 2: plot.sequential_colors(5)[2], 4: plot.sequential_colors(5)[4]}
    fig = Figure(figsize=(5.4, 2.9))
    axes = fig.subplots(1, 2)
    for ax, (h, w) in zip(axes, [(13, 13), (10, 13)], strict=True):
        rows, columns = bin_edges(h, 4), bin_edges(w, 4)
        for y in range(h):
            for x in range(w):
                times = sum(s <= y < e for s, e in rows) * sum(s <= x < e for s, e in columns)
                box = Rectangle((x, y), 1, 1, facecolor=shades[times], edgecolor=plot.PAPER)
                ax.add_patch(box)
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                color = plot.CYCLE[1] if (i + j) % 2 else plot.CYCLE[0]
                place, size = (left + 0.15, top + 0.15), (right - left - 0.3, bottom - top - 0.3)
                ax.add_patch(
                    Rectangle(place, *size, facecolor="none", edgecolor=color, linewidth=1.8)
                )
        ax.set(xlim=(-0.2, 13.2), ylim=(13.2, -0.2), aspect="equal", title=f"{h} × {w}")
        ax.set_axis_off()
    return fig


def figure_windows():
    """Show the bins of the rule and the windows of the paper, one row of cells each."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 4.6))
    ax = fig.subplots()
    y = 0.0
    for size, n in [(13, 4), (14, 4), (10, 6)]:
        for name, windows in [("本文", bin_edges(size, n)), ("论文", paper_windows(size, n))]:
            wrong = len(windows) != n or windows[-1][1] != size
            color = plot.CYCLE[1] if wrong else plot.CYCLE[0]
            for x in range(size):
                seen = any(s <= x < e for s, e in windows)
                face = plot.GRID if seen else plot.CYCLE[1]
                box = Rectangle((x, y), 1, 0.55, facecolor=face, edgecolor=plot.PAPER)
                ax.add_patch(box)
            for i, (s, e) in enumerate(windows):
                height = y + 0.75 + 0.2 * (i % 3)
                ax.plot([s + 0.12, e - 0.12], [height, height], color=color, linewidth=3)
            ax.text(-0.4, y + 0.3, f"{name} {len(windows)} 个", ha="right", va="center")
            y += 1.6
        ax.text(14.3, y - 1.75, f"a = {size}\nn = {n}", va="center")
        y += 0.35
    ax.set(xlim=(-4.2, 17.2), ylim=(y - 0.3, -0.1))
    ax.set_axis_off()
    return fig


def figure_rule():
    """Mark for each size and each n what the windows of the paper do."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 5.6))
    for ax, sizes in zip(fig.subplots(1, 2), (range(1, 17), range(17, 33)), strict=True):
        for size in sizes:
            for n in range(1, min(size, 6) + 1):
                windows = paper_windows(size, n)
                right, whole = len(windows) == n, windows[-1][1] == size
                kind = 0 if right and whole else 1 if right else 2
                face = (plot.GRID, plot.CYCLE[4], plot.CYCLE[1])[kind]
                place = (n - 0.5, size - 0.5)
                ax.add_patch(Rectangle(place, 1, 1, facecolor=face, edgecolor=plot.PAPER))
                text = ("", "–", f"{len(windows)}")[kind]
                color = plot.PAPER if kind == 2 else plot.INK
                ax.text(n, size, text, ha="center", va="center", fontsize=12, color=color)
        ax.set(xlim=(0.4, 6.6), ylim=(sizes[-1] + 0.6, sizes[0] - 0.6), xlabel="每边的格数 n")
        ax.set_title("边长 a", loc="left")
        ax.set_xticks(range(1, 7))
        ax.set_yticks(sizes)
        ax.grid(False)
    return fig


def figure_cascade():
    """Draw which cells one cell sees after one, two and three windows of width 5."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 3.0))
    ax = fig.subplots()
    for level in range(4):
        reach = 2 * (3 - level)
        for x in range(-8, 9):
            seen = abs(x) <= reach
            color = plot.CYCLE[0] if seen else plot.GRID
            ax.plot(x, level, "o", color=color, markersize=9)
            if seen and level:
                for far in (-2, 2):
                    ax.plot(
                        [x, x + far], [level, level - 1], color=plot.CYCLE[0], lw=0.8, alpha=0.5
                    )
    labels = ["x", "一次", "两次", "三次"]
    for level, label in enumerate(labels):
        seen = 4 * (3 - level) + 1
        ax.text(-9.2, level, label, ha="right", va="center", fontsize=13)
        ax.text(9.2, level, f"{seen} 格", va="center", fontsize=13, color=plot.MUTED)
    ax.set(xlim=(-11.8, 12.2), ylim=(-0.4, 3.4))
    ax.set_axis_off()
    return fig


def figure_digits():
    """Plot accuracy against the size of the test digits, with standard errors."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load("cv/spatial-pyramid-pooling")
    names = {
        "spp": ("SPP，两种尺寸", 0, "o-"),
        "spp_one_size": ("SPP，只用 8", 5, "s--"),
        "global_max": ("全局最大，两种尺寸", 1, "^-"),
        "flatten": ("展平，先缩放到 8", 2, "v:"),
    }
    fig = Figure(figsize=(5.4, 4.2))
    ax = fig.subplots()
    sizes = record.inputs["sizes"]
    for name, (label, color, style) in names.items():
        row = [record.results["accuracy"][name][f"s{size}"] for size in sizes]
        means, errors = [[cell[part] for cell in row] for part in ("mean", "error")]
        ax.errorbar(sizes, means, errors, fmt=style, color=plot.CYCLE[color], label=label)
    for size in record.inputs["trained"]:
        ax.axvline(size, color=plot.MUTED, linewidth=1, linestyle=":")
    ax.set(xlabel="测试时数字的边长（像素）", ylim=(55, 100.5))
    ax.set_title("测试准确率（%）", loc="left")
    ax.set_xticks(sizes)
    ax.legend(loc="lower right")
    return fig


def figure_speed():
    """Compare four ways and two layouts on one map, in units of the fastest."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    times = records.load("cv/spatial-pyramid-pooling").results["speed"]["1x512x13x13"]
    names = {"spp": "并联", "cascade": "串联", "separable": "行列\n分开", "doubling": "倍增"}
    fig = Figure(figsize=(5.4, 3.8))
    ax = fig.subplots()
    for y, way in enumerate(names):
        for i, layout in enumerate(["nchw", "nhwc"]):
            value = times[layout][way]
            label = {"nchw": "NCHW", "nhwc": "channels_last"}[layout] if y == 0 else None
            place = y + (i - 0.5) * 0.36
            ax.barh(place, value, height=0.34, color=plot.CYCLE[i], label=label)
            ax.text(value * 1.08, place, f"{value:.1f}", va="center", fontsize=11)
    ax.set(xscale="log", xlim=(0.8, 200), ylim=(3.6, -0.6), xlabel="时间（最快者的倍数，对数刻度）")
    ax.set_yticks(range(4), list(names.values()))
    fig.get_layout_engine().set(rect=(0.03, 0, 0.97, 1))  # Chinese is wider than it is measured
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
    ax.grid(False, axis="y")
    ax.legend(loc="lower right")
    return fig
