"""The figures of the page: from the recorded run, or computed while they are drawn."""

import torch

from .attention import causal_mask, padding_mask
from .positions import alibi_bias, rope, sinusoidal

ARTICLE = "nlp/transformer"


def figure_paths():
    """From the first word to the last: n - 1 steps through a chain, one step by attention."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(6.4, 3.6))
    top, bottom = fig.subplots(2, 1)
    words = ["他", "在", "车站", "等", "了", "很", "久"]
    last = len(words) - 1
    arrow = {"arrowstyle": "-|>", "lw": 1.8, "shrinkA": 12, "shrinkB": 12}
    for ax, color, title in ((top, 1, "RNN：一步传一步"), (bottom, 0, "注意力：一步直达")):
        for i, word in enumerate(words):
            ax.text(i, 0, word, ha="center", va="center", fontsize=13)
        ax.set_title(title, color=plot.CYCLE[color], loc="left")
        ax.set(xlim=(-0.5, last + 0.5), ylim=(-0.4, 1.3))
        ax.set_axis_off()
    for i in range(last):
        ends = {"xy": (i + 1, 0.75), "xytext": (i, 0.75)}
        top.annotate("", **ends, arrowprops={**arrow, "color": plot.CYCLE[1]})
    for i in range(last + 1):
        top.plot(i, 0.75, "o", color=plot.CYCLE[1], ms=13)
        top.text(i, 0.75, f"$h_{i + 1}$", ha="center", va="center", color=plot.PAPER, fontsize=10)
        width = 0.6 + 1.8 * (i == 0)
        style = {"arrowstyle": "-|>", "lw": width, "color": plot.CYCLE[0], "shrinkB": 12}
        style |= {"connectionstyle": "arc3,rad=-0.28", "shrinkA": 9}
        if i < last:
            bottom.annotate("", (last, 0.15), (i, 0.15), arrowprops=style)
    return fig


NAMES = {
    "tanh": ("tanh RNN", 1),
    "orthogonal": ("正交 $U$", 4),
    "orthogonal13": ("1.3 倍正交 $U$", 6),
    "lstm": ("LSTM，默认", 0),
    "lstm1": ("LSTM，$b_f=1$", 0),
    "lstm3": ("LSTM，$b_f=3$", 0),
    "gru": ("GRU，默认", 2),
    "attention": ("注意力", 3),
}


def figure_gradients():
    """How much of the gradient is left after a distance: medians and ranges over the seeds."""
    from statistics import median

    from matplotlib.figure import Figure

    from snippets.common import plot, records

    results = records.load(ARTICLE).results["gradients"]
    fig = Figure(figsize=(6.4, 5.0))
    ax = fig.subplots()
    styles = {"lstm1": "--", "lstm3": ":"}
    for name, (label, color) in NAMES.items():
        at = list(zip(*results[name]["curves"].values(), strict=True))
        line = {"color": plot.CYCLE[color], "ls": styles.get(name, "-")}
        ax.plot(range(len(at)), [median(values) for values in at], label=label, **line)
        low, high = [min(values) for values in at], [max(values) for values in at]
        ax.fill_between(range(len(at)), low, high, color=plot.CYCLE[color], alpha=0.15, lw=0)
    ax.set_yscale("log")
    ax.set(ylim=(1e-32, 1e4), xlim=(0, 99), xlabel="距离 $n-t$")
    ax.set_ylabel("剩下的梯度（相对于最近处）")
    ax.minorticks_off()
    ax.legend(ncols=2, loc="lower left")
    return fig


def figure_masks():
    """Three masks: padding, causal, causal with what a cache holds."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    masks = {
        "填充：长 6 与 4": padding_mask(torch.tensor([6, 4]))[1, 0].expand(6, 6),
        "因果": causal_mask(6, 6),
        "因果，缓存了 4 个": causal_mask(2, 6),
    }
    fig = Figure(figsize=(6.4, 2.6))
    for ax, (title, mask) in zip(fig.subplots(1, 3), masks.items(), strict=True):
        for (i, j), seen in zip(
            ((i, j) for i in range(len(mask)) for j in range(6)), mask.flatten(), strict=True
        ):
            color = plot.CYCLE[0] if seen else plot.GRID
            square = {"fc": color, "alpha": 0.75 if seen else 0.6, "ec": "none"}
            ax.add_patch(Rectangle((j, i), 0.9, 0.9, **square))
        ax.set(xlim=(-0.1, 6), ylim=(6, -0.1), aspect="equal", title=title)
        ax.set(xlabel="键", xticks=[], yticks=[])
        ax.grid(False)
        for side in ax.spines.values():
            side.set_visible(False)
    fig.axes[0].set_ylabel("查询")
    return fig


def figure_positions():
    """The table of sinusoids, and what three schemes make of distance."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(6.4, 3.4))
    left, right = fig.subplots(1, 2)
    table = sinusoidal(48, 32)
    colors = ListedColormap(plot.sequential_colors(16))
    left.pcolormesh(table.numpy(), cmap=colors, vmin=-1, vmax=1)
    left.set(xlabel="通道", ylabel="位置 $p$", title="正弦位置表")
    left.grid(False)
    wide = sinusoidal(128, 64)
    right.plot((wide @ wide[0]) / (wide[0] @ wide[0]), label="正弦：$PE(p)\\cdot PE(q)$")
    ones = torch.ones(128, 64, dtype=torch.float64)
    turned = rope(ones)
    right.plot((turned @ ones[0]) / 64, label="旋转：$q=k$ 时的点积", ls="--")
    right.plot(alibi_bias(8, 128)[3, 0].exp(), label="ALiBi：第 4 头的因子")
    right.set(xlabel="距离", title="只看距离", ylim=(-0.15, 1.5), yticks=(0, 0.5, 1))
    right.legend(loc="upper right", fontsize=10)
    return fig


def figure_norms():
    """The last feed-forward matrix' gradient over the number of layers, post-norm and pre-norm."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load(ARTICLE)
    depths = record.inputs["depths"]
    fig = Figure(figsize=(6.0, 3.6))
    ax = fig.subplots()
    for number, (norm, name) in enumerate(
        (("post", "先加后归一（post）"), ("pre", "先归一后加（pre）"))
    ):
        rows = [record.results["depth"][norm][f"n{depth}"] for depth in depths]
        middle = [row["median"] for row in rows]
        spread = [
            [row["median"] - row["low"] for row in rows],
            [row["high"] - row["median"] for row in rows],
        ]
        style = {"color": plot.CYCLE[number], "capsize": 3, "marker": "o", "ms": 5}
        ax.errorbar(depths, middle, spread, label=name, **style)
    start = record.results["depth"]["pre"][f"n{depths[-1]}"]["times_root"]
    line = {"color": plot.MUTED, "ls": "--", "lw": 1.2, "label": "$\\propto 1/\\sqrt{N}$"}
    ax.plot(depths, [start / depth**0.5 for depth in depths], **line)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set(xlabel="层数 $N$", ylabel="最后一层的梯度范数")
    ax.set(xticks=depths, xticklabels=[str(depth) for depth in depths])
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return fig


def figure_training():
    """Smoothed loss of four trainings, post- and pre-norm, with and without a warm-up."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    results = records.load(ARTICLE).results["training"]
    names = {
        "post": ("post，有预热", 0, "-"),
        "post_cold": ("post，无预热", 0, ":"),
        "pre": ("pre，有预热", 1, "-"),
        "pre_cold": ("pre，无预热", 1, ":"),
    }
    fig = Figure(figsize=(6.4, 3.8))
    ax = fig.subplots()
    for key, (label, color, style) in names.items():
        losses = results[key]["losses"]
        smooth = [sum(losses[i : i + 20]) / 20 for i in range(0, len(losses), 20)]
        at = range(10, len(losses), 20)
        ax.plot(at, smooth, color=plot.CYCLE[color], ls=style, label=label)
    floor = _figure_floor(0.1, 13)
    ax.axhline(floor, color=plot.MUTED, lw=1, ls="--")
    ax.text(15, floor - 0.05, "平滑后的下限", color=plot.MUTED, va="top")
    ax.set(xlabel="步", ylabel="损失（20 步平均）", ylim=(0.3, 2.8))
    ax.legend()
    return fig


def _figure_floor(eps, classes):
    from math import log

    right, wrong = 1 - eps + eps / classes, eps / classes
    return -right * log(right) - (classes - 1) * wrong * log(wrong)


def figure_attention():
    """Where the decoder looks in the source while it writes the digits backwards, by layer."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["training"]["post"]["map"]
    colors = ListedColormap(plot.sequential_colors(32))
    written = [str(digit) if digit >= 0 else "终" for digit in found["out"]]
    frames = []
    for number, heads in reversed(list(enumerate(found["cross"], 1))):
        fig = Figure(figsize=(5.4, 5.8), label=f"解码器第 {number} 层的四个头")
        for head, ax in enumerate(fig.subplots(2, 2).flat, 1):
            ax.pcolormesh(heads[head - 1], cmap=colors, vmin=0, vmax=1)
            ax.set(aspect="equal", title=f"第 {number} 层，头 {head}")
            ax.set_xticks([i + 0.5 for i in range(len(found["src"]))], found["src"], fontsize=11)
            ax.set_yticks([i + 0.5 for i in range(len(written))], written, fontsize=11)
            ax.tick_params(length=0, pad=1)
            ax.invert_yaxis()
            ax.grid(False)
        frames.append(fig)
    return frames


def figure_flops():
    """Multiply-adds of one layer for one sequence: the recurrent step against attention."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    d = 512
    lengths = [2**i for i in range(5, 15)]
    fig = Figure(figsize=(6.0, 3.6))
    ax = fig.subplots()
    ax.plot(lengths, [4 * n * d * d for n in lengths], color=plot.CYCLE[1], label="RNN：$4nd^2$")
    core = [4 * n * n * d for n in lengths]
    ax.plot(lengths, core, color=plot.CYCLE[0], label="两次 $n\\times n$：$4n^2d$")
    total = [4 * n * n * d + 8 * n * d * d for n in lengths]
    ax.plot(lengths, total, color=plot.CYCLE[0], ls="--", label="连投影：$4n^2d+8nd^2$")
    ax.axvline(d, color=plot.MUTED, lw=1, ls=":")
    ax.text(d * 1.1, 3e7, "$n=d$", color=plot.MUTED)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="序列长 $n$", ylabel="浮点运算")
    ax.set(xticks=lengths[::2], xticklabels=[str(n) for n in lengths[::2]])
    ax.minorticks_off()
    ax.legend()
    return fig
