"""The figures of the page: drawn from steps that are run, or from the recorded run."""

from functools import partial

import torch

from .meter import measure_step, watch_alive
from .models import chain
from .recompute import checkpoint_sequential
from .schedules import revolve, revolve_schedule

ARTICLE = "large-model/gradient-checkpointing"


def figure_steps():
    """Nine layers in three segments: after every event, which activations are alive."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    n, k = 9, 3
    layers, x = chain(n, 4), torch.ones(2, 4, requires_grad=True)
    moments = watch_alive(layers, partial(checkpoint_sequential, layers, k), x)
    counts = [len(moment.alive) for moment in moments]
    frames = []
    for t, (action, layer, alive) in enumerate(moments):
        backward, again = action == "backward", action == "forward" and t >= n
        name = "反向经过" if backward else "重算" if again else "前向经过"
        label = f"{name}第 {layer + 1} 层，{counts[t]} 个激活活着"
        fig = Figure(figsize=(5.6, 3.3), layout="none", label=label)
        top, bottom = fig.subplots(2, 1, height_ratios=(1.25, 1))
        fig.subplots_adjust(left=0.1, right=0.97, bottom=0.14, top=1, hspace=0.05)
        color = plot.CYCLE[1 if backward else 3 if again else 0]
        for i in range(n):
            kept = i % (n // k) == n // k - 1 and i < n - 1
            fill = plot.CYCLE[2 if kept else 0] if i in alive else "none"
            edge = plot.INK if i in alive else plot.GRID
            top.add_patch(Rectangle((i + 0.62, 0), 0.76, 0.76, fc=fill, alpha=0.45, lw=0))
            top.add_patch(Rectangle((i + 0.62, 0), 0.76, 0.76, fc="none", ec=edge, lw=1.2))
            ink = plot.INK if i in alive else plot.MUTED
            top.text(i + 1, 0.36, f"$x_{i + 1}$", ha="center", va="center", color=ink, fontsize=13)
        ends = (layer + 1, layer) if backward else (layer, layer + 1)
        arrow = {"arrowstyle": "-|>", "color": color, "lw": 2.2}
        top.annotate("", (ends[1], 1.15), (ends[0], 1.15), arrowprops=arrow)
        top.text(layer + 0.5, 1.35, name, ha="center", color=color)
        top.set(xlim=(-0.2, n + 0.5), ylim=(-0.1, 1.9))
        top.set_axis_off()
        bottom.bar(range(1, t + 2), counts[: t + 1], color=plot.CYCLE[0], alpha=0.6)
        bottom.axhline(n // k + k - 1, color=plot.CYCLE[1], lw=1.2, ls="--")
        bottom.set(xlim=(0, len(moments) + 1), ylim=(0, n + 0.5), yticks=(0, 5, 9))
        bottom.set(xlabel="步", ylabel="活着的激活")
        frames.append(fig)
    return frames


def figure_u_curve():
    """Live units and forwards over the number of segments: theory as lines, measured as dots."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load(ARTICLE)
    n, uniform = record.inputs["n"], record.results["uniform"]
    ks = record.inputs["segments"]
    fine = [2 ** (i / 20) for i in range(121)]
    fig = Figure(figsize=(6.4, 3.2))
    left, right = fig.subplots(1, 2)
    left.plot(fine, [n / k + k - 1 for k in fine], color=plot.CYCLE[0])
    left.plot(fine, [n / k + k + 1.5 for k in fine], color=plot.CYCLE[1])
    right.plot(fine, [2 * n - n / k for k in fine], color=plot.CYCLE[2])
    for ax, key, color in ((left, "live", 0), (left, "peak", 1), (right, "forwards", 2)):
        values = [uniform[f"k{k}"][key] for k in ks]
        ax.scatter(ks, values, color=plot.CYCLE[color], s=42, zorder=3)
    left.text(8, 38, "峰值", color=plot.CYCLE[1], ha="center")
    left.annotate(
        "", (8, 18.5), (8, 36), arrowprops={"arrowstyle": "-", "color": plot.CYCLE[1], "lw": 0.8}
    )
    left.text(8, 7, "前向结束时", color=plot.CYCLE[0], ha="center")
    left.set(ylim=(0, 70), ylabel="激活（单位）")
    right.axhline(n, color=plot.MUTED, lw=1, ls="--")
    right.text(64, n + 2, "不用检查点", color=plot.MUTED, ha="right")
    right.set(ylim=(0, 140), ylabel="层前向次数")
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.set(xticks=ks, xticklabels=[str(k) for k in ks], xlabel="段数 $k$")
        ax.minorticks_off()
    return fig


def figure_trace():
    """Bytes alive after every operator of one step, in units, for four schedules."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    n = 64
    layers, x = chain(n), torch.ones(256, 128, requires_grad=True)
    runs = {
        "1 段，全部保存": partial(checkpoint_sequential, layers, 1),
        "64 段，每层一个检查点": partial(checkpoint_sequential, layers, n),
        "8 段": partial(checkpoint_sequential, layers, 8),
        "Revolve，4 份快照": partial(revolve, layers, 4),
    }
    fig = Figure(figsize=(6.4, 4.6))
    axes = fig.subplots(2, 2, sharey=True).flat
    for number, (ax, (title, run)) in enumerate(zip(axes, runs.items(), strict=True)):
        cost = measure_step(layers, run, x)
        units = [nbytes / x.nbytes for nbytes in cost.trace]
        turns = _figure_turns(units)
        heights = [units[i] for i in turns]
        ax.fill_between(turns, heights, color=plot.CYCLE[number], alpha=0.25, lw=0)
        ax.plot(turns, heights, color=plot.CYCLE[number], lw=1)
        highest = max(units)
        ax.axhline(highest, color=plot.MUTED, lw=0.8, ls="--")
        ax.text(
            len(units) / 2,
            highest + 1.5,
            f"峰值 {highest:.1f}，前向 {cost.forwards} 次",
            ha="center",
            color=plot.MUTED,
            fontsize=10,
        )
        ax.set(ylim=(0, 76), title=title)
        if number % 2 == 0:
            ax.set_ylabel("活着的单位")
        if number > 1:
            ax.set_xlabel("第几个算子")
    return fig


def _figure_turns(values):
    """Return the ends and the places where the values stop rising or stop falling."""
    turns = [0]
    for i in range(1, len(values) - 1):
        before, after = values[i] - values[turns[-1]], values[i + 1] - values[i]
        if before * after < 0:
            turns.append(i)
    return [*turns, len(values) - 1]


def figure_revolve():
    """Space and time of Revolve for 10 steps and 3 snapshots."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.8, 4.2))
    ax = fig.subplots()
    time, stored, dots = 0, {}, {"color": plot.CYCLE[2], "s": 36, "zorder": 4}
    for action, i, *to in revolve_schedule(10, 3):
        if action == "store":
            stored[i] = time
            ax.scatter(time, i, **dots)
        elif action == "free":
            ax.plot((stored[i], time), (i, i), color=plot.CYCLE[2], lw=1.4, zorder=1)
        elif action == "forward":
            ax.plot((time, time + to[0] - i), (i, to[0]), color=plot.CYCLE[0])
            time += to[0] - i
        else:
            ax.plot((time, time + 1), (i, i + 1), color=plot.CYCLE[0], ls=":")
            ax.plot((time + 1, time + 2), (i + 1, i), color=plot.CYCLE[1])
            time += 2
    ax.text(2.2, 4.6, "前进", color=plot.CYCLE[0], ha="right")
    ax.text(8.6, 9.5, "边前进边记图", color=plot.CYCLE[0], ha="right")
    ax.text(11.3, 9.5, "反向", color=plot.CYCLE[1])
    ax.text(18, -0.75, "快照", color=plot.CYCLE[2], ha="center")
    ax.set(
        xlabel="时间（一步一格）", ylabel="状态 $x_i$", yticks=range(0, 11, 2), ylim=(-1.1, 10.4)
    )
    return fig


def figure_pareto():
    """Forwards against memory, n = 64: as the model counts it, and as the meter sees the peak."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load(ARTICLE)
    families = {
        "uniform": ("等长分段", "o"),
        "recursive": ("反复对半", "s"),
        "revolve": ("Revolve", "^"),
        "optimal": ("动态规划", "D"),
    }
    fig = Figure(figsize=(6.4, 4.2))
    axes = fig.subplots(1, 2, sharey=True)
    for ax, key, title in zip(axes, ("live", "peak"), ("前向结束时", "实测峰值"), strict=True):
        for number, (family, (name, marker)) in enumerate(families.items()):
            points = sorted((c[key], c["forwards"]) for c in record.results[family].values())
            points = [point for point in points if point[1] <= 500]
            best = [p for p in points if not any(q[0] <= p[0] and q[1] < p[1] for q in points)]
            style = {"color": plot.CYCLE[number], "marker": marker, "s": 34, "zorder": 3}
            line = {"color": plot.CYCLE[number], "lw": 1.2, "drawstyle": "steps-post"}
            ax.plot(*zip(*best, strict=True), **line)
            ax.scatter(*zip(*points, strict=True), label=name, **style)
        ax.set(title=title, xlabel="激活（单位）", xlim=(2, 72))
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        ax.set(xticks=(2, 4, 8, 16, 32, 64), xticklabels=("2", "4", "8", "16", "32", "64"))
        ax.set(yticks=(64, 128, 256, 512), yticklabels=("64", "128", "256", "512"))
        ax.minorticks_off()
    axes[0].set_ylabel("层前向次数")
    axes[1].legend()
    return fig
