"""The figures of the page: simulated, computed from the cost model, or from the recorded run."""

from .ring_allreduce import allreduce_cost, simulate_ring

ARTICLE = "large-model/distributed-data-parallel"


def _figure_chunk(ax, patch, left, y, n, shares, fresh):
    """Draw a chunk: the ranks whose share it holds, green if all, framed if it just came."""
    from snippets.common import plot

    color = plot.CYCLE[2 if len(shares) == n else 0]
    box = {"fc": color, "alpha": 0.12 + 0.16 * len(shares), "lw": 0}
    ax.add_patch(patch((left, y - 0.4), 0.38, 0.8, **box))
    edge = plot.CYCLE[1] if fresh else plot.MUTED
    line = {"fc": "none", "ec": edge, "lw": 2.2 if fresh else 0.8}
    ax.add_patch(patch((left, y - 0.4), 0.38, 0.8, **line))
    for who in shares:
        at = left + 0.19, y + 0.29 - 0.195 * who
        ax.text(*at, str(who), ha="center", va="center", fontsize=10)


def figure_ring():
    """Four ranks, four chunks: after every step, whose share each chunk of each rank holds."""
    from math import cos, pi, sin

    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    n = 4
    names = {"start": "开始", "reduce-scatter": "规约散发", "all-gather": "全收集"}
    frames, count = [], {"start": 0, "reduce-scatter": 0, "all-gather": 0}
    for phase, sends, has in simulate_ring(n):
        count[phase] += 1
        number = f"第 {count[phase]} 步" if sends else ""
        sent = "，".join(f"{a}→{b} 传块 {c}" for a, b, c in sends)
        label = f"{names[phase]}{number}{'：' if sent else ''}{sent}"
        fig = Figure(figsize=(5.8, 4.2), layout="none", label=label)
        ax = fig.add_axes((0.01, 0.01, 0.98, 0.98))
        centre = [(2.3 * sin(2 * pi * r / n), 1.45 * cos(2 * pi * r / n)) for r in range(n)]
        moving = {(target, chunk) for _, target, chunk in sends}
        for rank, (x, y) in enumerate(centre):
            ax.text(x, y + 0.52, f"rank {rank}", ha="center", va="bottom", fontsize=12)
            for chunk in range(n):
                left = x - 0.84 + 0.42 * chunk
                fresh = (rank, chunk) in moving
                _figure_chunk(ax, Rectangle, left, y, n, has[rank][chunk], fresh)
        for source, target, chunk in sends:
            (x0, y0), (x1, y1) = centre[source], centre[target]
            start = x0 + 0.36 * (x1 - x0), y0 + 0.36 * (y1 - y0)
            end = x0 + 0.64 * (x1 - x0), y0 + 0.64 * (y1 - y0)
            arrow = {"arrowstyle": "-|>", "color": plot.CYCLE[1], "lw": 2}
            ax.annotate("", end, start, arrowprops=arrow)
            middle = (x0 + x1) / 2 * 1.2, (y0 + y1) / 2 * 1.25
            ax.text(*middle, f"块 {chunk}", color=plot.CYCLE[1], ha="center", va="center")
        ax.text(0, 0, names[phase], ha="center", va="center", fontsize=13)
        ax.set(xlim=(-3.35, 3.35), ylim=(-2.15, 2.45))
        ax.set_axis_off()
        frames.append(fig)
    return frames


def _figure_margin(fig):
    """Leave room at the left, for a reader's font wider than the one measured."""
    fig.get_layout_engine().set(rect=(0.04, 0, 0.95, 1))


def figure_traffic():
    """Bytes through the busiest rank, and seconds in the alpha-beta model, over the ranks."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    ns = range(2, 65)
    fig = Figure(figsize=(6.4, 3.4))
    _figure_margin(fig)
    left, right = fig.subplots(1, 2)
    curves = {"server": "集中到一个 rank", "naive": "传整个张量的环", "ring": "分块的环"}
    for number, (algo, name) in enumerate(curves.items()):
        color = plot.CYCLE[(1, 3, 0)[number]]
        style = "--" if algo == "server" else "-"
        left.plot(
            ns, [allreduce_cost(1, n, 0, 1, algo) for n in ns], color=color, ls=style, label=name
        )
    left.set(yscale="log", xlabel="$N$", ylim=(0.8, 3000))
    left.set_title(r"最忙的 rank：几个 $S\beta$", loc="left", fontsize=12)
    left.legend(loc="upper left")
    left.text(62, 1.6, "不超过 2", color=plot.CYCLE[0], ha="right", va="top")
    powers = [2**k for k in range(1, 11)]
    for size, number in ((1e4, 4), (1e6, 5), (1e8, 2)):
        for algo, style in (("ring", "-"), ("halving", ":")):
            times = [1e3 * allreduce_cost(size, n, 1e-5, 1e-10, algo) for n in powers]
            right.plot(powers, times, color=plot.CYCLE[number], ls=style)
    for size, x, y in (
        (r"$10^4$ 字节", 1024, 0.105),
        (r"$10^6$", 1024, 0.55),
        (r"$10^8$", 48, 8.5),
    ):
        right.text(x, y, size, ha="right", fontsize=11)
    right.set_xscale("log", base=2)
    right.set(yscale="log", xlabel="$N$", xlim=(1.5, 2500), xticks=(2, 16, 128, 1024))
    right.set_title("毫秒", loc="left", fontsize=12)
    right.set_xticklabels(["2", "16", "128", "1024"])
    right.minorticks_off()
    return fig


def figure_drift():
    """How far three replicas are apart: the two rings, over the steps of training."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load(ARTICLE)
    drift = record.results["drift"]
    steps = range(0, record.inputs["steps"] + 1, 20)
    fig = Figure(figsize=(6.0, 3.0))
    _figure_margin(fig)
    ax = fig.subplots()
    for algo, number in (("naive", 1), ("ring", 0)):
        values = [1e6 * value for value in drift[algo]]
        ax.plot(steps, values, color=plot.CYCLE[number], marker="o", ms=4)
    top = 1e6 * drift["naive"][-1]
    ax.text(steps[-1], top * 1.06, "传整个张量的环", color=plot.CYCLE[1], ha="right")
    ax.text(steps[-1], top * 0.05, "分块的环：恒为 0", color=plot.CYCLE[0], ha="right")
    ax.set(xlabel="步", ylim=(-0.04 * top, 1.25 * top))
    ax.set_title(r"副本间最大差 ($10^{-6}$)", loc="left", fontsize=12)
    return fig


def figure_buckets():
    """The buckets that torch's DDP really reduces, and the events of MiniDDP in one backward."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    buckets = records.load(ARTICLE).results["buckets"]
    rows = [("第 1 次", buckets["default"]["torch"]["first"])]
    rows += [("以后", buckets["default"]["torch"]["second"])]
    rows += [(f"cap = {cap}", buckets[f"cap{cap}"]["torch"]["second"]) for cap in (25, 10, 5)]
    rows += [("find_unused", buckets["find_unused"]["second"])]
    fig = Figure(figsize=(6.4, 5.2))
    _figure_margin(fig)
    top, bottom = fig.subplots(2, 1, height_ratios=(1.5, 1))
    for y, (_, sizes) in enumerate(rows):
        left = 0.0
        for i, size in enumerate(map(float, sizes.split(" + "))):
            top.barh(y, size, left=left, height=0.62, color=plot.CYCLE[i % 7], alpha=0.45)
            top.text(left + size / 2, y, f"{size:.0f}", ha="center", va="center", fontsize=11)
            left += size
    top.set(yticks=range(len(rows)), yticklabels=[name for name, _ in rows], xlabel="MiB")
    top.invert_yaxis()
    top.grid(visible=False)
    events = buckets["cap10"]["events"]
    for t, (kind, what) in enumerate(events):
        y, color = {"ready": (2, 0), "launch": (1, 1), "finish": (0, 2)}[kind]
        bottom.scatter(t, y, color=plot.CYCLE[color], s=46, zorder=3)
        if kind != "ready":
            bottom.text(t, y + 0.28, str(what), ha="center", fontsize=11)
    bottom.set(yticks=(2, 1, 0), yticklabels=("就绪", "发出桶", "等到桶"))
    bottom.set(ylim=(-0.4, 2.5), xlabel="事件（MiniDDP，cap = 10）")
    return fig
