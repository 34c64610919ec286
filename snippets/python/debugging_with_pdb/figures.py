"""Figures of the page: where the commands stop, and what waiting for a breakpoint costs."""

from collections.abc import Sequence

from snippets.common import records

from .sessions import DEMO, import_demo
from .tracer import MiniPdb, Stop


def _stops(commands: Sequence[str], breaks: Sequence[int] = ()) -> list[Stop]:
    """Where MiniPdb stops in `report("apple")`, given breakpoints in utils.py."""
    debugger = MiniPdb(commands)
    for line in breaks:
        debugger.set_break(DEMO / "utils.py", line)
    debugger.runcall(import_demo("pdb_demo").report, "apple")
    return debugger.stops


def _places(stops: Sequence[Stop], events: Sequence[Stop]) -> list[int]:
    """The numbers of the events at which the stops, a subsequence of them, happened."""
    places = [-1]
    for stop in stops:
        places.append(events.index(stop, places[-1] + 1))
    return places[1:]


def figure_stops():
    """Draw depth against events, and on it the stops of s, n, r and c."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    events = _stops("s" * 99)
    depth = ["report", "mean", "add"]
    rows = {
        "s：每个事件都停": events,
        "n：只停在 report 里": _stops("n" * 99),
        "在 mean 里按 r，再按 n": _stops("ssssrnnn"),
        "c：入口之后，只停在 utils.py 第 13 行": _stops("c" * 99, [13]),
    }
    fig = Figure(figsize=(7.2, 6.4))
    axes = fig.subplots(len(rows), 1, sharex=True)
    for ax, (title, stops), color in zip(axes, rows.items(), plot.CYCLE, strict=False):
        levels = [-depth.index(event.function) for event in events]
        places = _places(stops, events)
        ax.step(range(len(events)), levels, where="mid", color=plot.GRID, linewidth=3)
        ax.scatter(places, [levels[i] for i in places], s=34, color=color, zorder=3)
        ax.set_title(f"{title}（停 {len(stops)} 次）", loc="left", color=color, fontsize=12)
        ax.set_yticks([0, -1, -2], depth)
        ax.set_ylim(-2.5, 0.5)
        ax.grid(False)
    axes[-1].set_xlabel("事件的序号")
    return fig


def figure_cost():
    """Draw how many times slower `mean` runs under pdb and MiniPdb, on a log scale."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    cost = records.load("python/debugging-with-pdb").results["slower"]
    bars = [
        ("没有断点：pdb", cost["none"]["pdb"], 0),
        ("没有断点：MiniPdb", cost["none"]["MiniPdb"], 1),
        ("什么也不做的跟踪函数", cost["noop"]["function"], 2),
        ("断点在同一文件的别处：pdb", cost["elsewhere"]["pdb"], 0),
        ("断点在同一文件的别处：MiniPdb", cost["elsewhere"]["MiniPdb"], 1),
        ("循环里的条件断点：pdb", cost["condition"]["pdb"], 0),
        ("循环里的条件断点：MiniPdb", cost["condition"]["MiniPdb"], 1),
    ]
    fig = Figure(figsize=(7.2, 3.6))
    ax = fig.subplots()
    for y, (_, times, color) in enumerate(bars):
        ax.barh(y, times, height=0.7, color=plot.CYCLE[color])
        ax.text(times * 1.1, y, f"×{times:g}", va="center", fontsize=12)
    ax.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    ax.set(xscale="log", xlim=(0.8, 900), ylim=(len(bars) - 0.5, -0.5))
    ax.set_xlabel("是不调试时的多少倍（对数轴）")
    ax.grid(axis="y", visible=False)
    return fig
