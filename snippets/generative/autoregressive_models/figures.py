"""The figures of the page: computed from small models, or read from the recorded run."""

ARTICLE = "generative/autoregressive-models"


def _figure_unpack(text: str) -> list[list[int]]:
    """Return the 28 x 28 pixels of a hexadecimal number."""
    bits = f"{int(text, 16):0784b}"
    return [[int(bit) for bit in bits[i : i + 28]] for i in range(0, 784, 28)]


def figure_surprise():
    """A 7 drawn by hand, and what each of its pixels costs under two models."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["pictures"]
    steps = [0.02, 0.1, 0.3, 0.7, 1.5, 3.0]
    colors = plot.sequential_colors(len(steps) + 1)[1:]
    fig = Figure(figsize=(6.6, 2.95))
    axes = fig.subplots(1, 3)
    plot.picture(axes[0], _figure_unpack(found["seven"]), [plot.INK])
    titles = {"independent": "独立像素", "nade": "NADE"}
    for ax, (name, title) in zip(axes[1:], titles.items(), strict=True):
        values = found[f"surprise_{name}"]
        level = [sum(v > step for step in steps) for v in values]
        plot.picture(ax, [level[i : i + 28] for i in range(0, 784, 28)], colors)
        ax.set_title(f"{title}\n{found['nll'][name]:.0f} nats")
    axes[0].set_title("手画的 7\n784 个像素")
    return fig


def figure_recursion():
    """One NADE, step by step: the hidden state takes in one variable, the logit is read off."""
    import torch
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    from .nade import NADE

    model = NADE(5, 6, seed=3).double()
    with torch.no_grad():
        model.W.mul_(20)
        model.V.mul_(30)
        x = torch.tensor([1, 0, 1, 1, 0]).double()
        a, frames = model.c.clone(), []
        for i in range(5):
            logit = a.sigmoid() @ model.V[i] + model.bias[i]
            p = logit.sigmoid().item()
            after = a + x[i] * model.W[i]
            label = f"由 a 读出概率 {p:.2f}，"
            label += f"x{i + 1} = {int(x[i])}，" + ("给 a 加上一行权重" if x[i] else "a 不变")
            fig = Figure(figsize=(5.2, 3.3), layout="none", label=label)
            top, bottom = fig.subplots(2, 1, height_ratios=(1, 1.6))
            fig.subplots_adjust(left=0.14, right=0.98, bottom=0.08, top=0.97, hspace=0.1)
            for j in range(5):
                known = j <= i
                fill = plot.CYCLE[0] if known and x[j] else "none"
                edge = plot.CYCLE[1] if j == i else plot.INK if known else plot.GRID
                box = {"fc": fill, "ec": edge, "lw": 2 if j == i else 1, "alpha": 0.8}
                top.add_patch(Rectangle((j, 0), 0.8, 0.8, **box))
                top.text(j + 0.4, 1.05, f"$x_{j + 1}$", ha="center", fontsize=13)
            top.text(i + 0.4, -0.55, f"{p:.2f}", ha="center", color=plot.CYCLE[1])
            top.set(xlim=(-0.3, 5.3), ylim=(-0.75, 1.6))
            top.set_axis_off()
            places = range(6)
            bottom.bar(places, a.tolist(), 0.7, color=plot.CYCLE[2], alpha=0.45)
            bottom.scatter(places, after.tolist(), color=plot.CYCLE[1], s=36, zorder=3)
            bottom.axhline(0, color=plot.MUTED, lw=0.8)
            bottom.set(ylim=(-4.2, 4.2), xticks=[], ylabel="$a$")
            a = after
            frames.append(fig)
    return frames


def figure_masks():
    """Two masks of a small MADE, and their product: how many paths lead from input to output."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    from .made import made_degrees, made_masks

    order = [2, 0, 3, 1]
    degrees = made_degrees(4, [6], order=order)
    first, last = (mask.long() for mask in made_masks(degrees))
    product = last @ first
    inputs, hidden = degrees[0].tolist(), degrees[1].tolist()
    fig = Figure(figsize=(6.6, 3.3))
    axes = fig.subplots(1, 3, width_ratios=(4, 6, 4))
    panels = [
        (first, "M¹：输入 → 隐藏", hidden, inputs),
        (last, "M²：隐藏 → 输出", inputs, hidden),
        (product, "M²M¹：路径条数", inputs, inputs),
    ]
    for ax, (matrix, title, rows, columns) in zip(axes, panels, strict=True):
        for y, line in enumerate(matrix.tolist()):
            for x, value in enumerate(line):
                fill = plot.CYCLE[0] if value else "none"
                box = {"fc": fill, "alpha": 0.35 if value else 1, "ec": plot.GRID, "lw": 1}
                ax.add_patch(Rectangle((x, y), 1, 1, **box))
                if ax is axes[2]:
                    middle = {"ha": "center", "va": "center", "fontsize": 12}
                    ax.text(x + 0.5, y + 0.5, str(value), **middle)
        color = {"color": plot.CYCLE[1], "ha": "center", "va": "center", "fontsize": 12}
        for y, degree in enumerate(rows):
            ax.text(-0.45, y + 0.5, str(degree), **color)
        for x, degree in enumerate(columns):
            ax.text(x + 0.5, -0.45, str(degree), **color)
        ax.set(xlim=(-0.9, len(columns) + 0.1), ylim=(6.2, -0.9), aspect="equal")
        ax.set_title(title, fontsize=12)
        ax.set_axis_off()
    return fig


def figure_samples():
    """Digits that three models drew, ten of each, not chosen."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["pictures"]["samples"]
    names = {"fvsbn": "FVSBN", "direct": "MADE", "nade": "NADE"}
    fig = Figure(figsize=(7.2, 2.5))
    axes = fig.subplots(3, 10)
    for row, (name, title) in zip(axes, names.items(), strict=True):
        for ax, text in zip(row, found[name], strict=True):
            plot.picture(ax, _figure_unpack(text), [plot.INK])
        row[0].text(-4, 14, title, ha="right", va="center", fontsize=13)
    return fig


def figure_completed():
    """The upper half of the 7, and ten ways in which NADE goes on."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["pictures"]
    fig = Figure(figsize=(7.2, 2.9))
    axes = fig.subplots(2, 5)
    for ax, text in zip(axes.flat, found["completed"], strict=True):
        rows = _figure_unpack(text)
        below = [[2 * bit for bit in row] for row in rows[14:]]
        plot.picture(ax, rows[:14] + below, [plot.INK, plot.CYCLE[1]])
        ax.plot((0, 28), (14, 14), color=plot.MUTED, lw=1, ls="--")
    return fig


def figure_ensemble():
    """NLL of the mixture, and what averaged logits pretend, over the number of orders."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["agnostic"]
    fig = Figure(figsize=(5.8, 3.2))
    ax = fig.subplots()
    lines = (("mixture", "混合（真的似然）", 0), ("averaged", "平均 logit（不是似然）", 1))
    for name, title, color in lines:
        counts = [int(key[1:]) for key in found[name]]
        counts.sort()
        values = [found[name][f"k{k}"] for k in counts]
        ax.plot(counts, values, "o-", color=plot.CYCLE[color])
        place = (counts[1] * 1.12, values[1] + 0.12)
        ax.text(*place, title, color=plot.CYCLE[color], ha="left")
    ax.set_xscale("log", base=2)
    ax.set(xticks=counts, xticklabels=[str(k) for k in counts], xlabel="次序的个数 $K$")
    ax.set_ylabel("nats")
    ax.minorticks_off()
    return fig


def figure_times():
    """Time to draw 16 vectors over the dimension, in units of the shortest, on log axes."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["times"]
    dims = records.load(ARTICLE).inputs["times"]
    fig = Figure(figsize=(5.8, 3.4))
    ax = fig.subplots()
    names = {"made": "MADE：每维一次整网", "naive": "NADE：每维从头算", "recursion": "NADE：递推"}
    for color, (name, title) in enumerate(names.items()):
        ax.plot(
            dims, [found[name][f"d{d}"] for d in dims], "o-", color=plot.CYCLE[color], label=title
        )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xticks=dims, xticklabels=[str(d) for d in dims], xlabel="维数 $D$")
    fig.suptitle("相对时间", x=0.02, ha="left")
    ax.minorticks_off()
    ax.legend(loc="upper left")
    return fig
