"""Figures of the page, each computed by the engine or measured in torch."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from .engine import Tensor, ancestors, grad


def _sweep_steps(names: dict[Tensor, str]) -> Iterator[tuple[Any, dict[Tensor, list[float]], str]]:
    """Yield which tensor sends, what every tensor has received so far, and a caption."""
    received: dict[Tensor, list[float]] = {t: [] for t in names}
    *_, y = names
    received[y].append(1.0)
    yield None, received, "前向结束：dy/dy = 1，别处还没有梯度"
    for t in reversed(ancestors(y)):
        g = Tensor(sum(received[t]))
        arrived = f"{names[t][0]} 的梯度到齐，是 {g.item():g}"
        if t.node is None:
            yield t, received, f"{arrived}，结束"
            continue
        operation, inputs, options = t.node
        for vjp, x in zip(operation.vjps, inputs, strict=True):
            received[x].append(vjp(g, t, *inputs, **options).item())
        sent = " 与 ".join(names[x][0] for x in dict.fromkeys(inputs))
        yield t, received, f"{arrived}；它送给 {sent}"


def figure_sweep():
    """Walk y = a b, b = a + x, a = x x at x = 2 in reverse, one frame a step."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    x = Tensor(2, requires_grad=True)
    a = x * x
    b = a + x
    y = a * b
    names = {x: "x", a: "a = x·x", b: "b = a + x", y: "y = a·b"}
    place = {x: (0.0, 0.0), a: (1.0, 0.9), b: (2.0, 0.0), y: (3.0, 0.9)}
    edges = [(x, a, 0.25), (x, a, -0.25), (x, b, 0.0), (a, b, 0.0), (a, y, 0.0), (b, y, 0.0)]
    middle = {"ha": "center", "va": "center", "fontsize": 12, "zorder": 4}
    frames = []
    for sender, received, label in _sweep_steps(names):
        fig = Figure(figsize=(5.6, 3.0), label=label)
        ax = fig.subplots()
        for source, target, bend in edges:
            color = plot.CYCLE[1] if target is sender else plot.MUTED
            style = {"arrowstyle": "-|>", "color": color, "lw": 1.6, "shrinkA": 22, "shrinkB": 22}
            style["connectionstyle"] = f"arc3,rad={bend}"
            head, tail = (target, source) if sender is None else (source, target)
            ax.annotate("", place[head], place[tail], arrowprops=style)
        for t, (h, v) in place.items():
            up = 1 if v else -1
            edge = plot.CYCLE[1 if t is sender else 0]
            ax.scatter(h, v, s=1250, color=plot.PAPER, edgecolors=edge, linewidths=1.8, zorder=3)
            ax.text(h, v, f"{t.item():g}", **middle)
            ax.text(h, v + up * 0.38, names[t], **middle)
            parts = received[t]
            total = f" = {sum(parts):g}" if len(parts) > 1 else ""
            said = " + ".join(f"{part:g}" for part in parts) + total or "–"
            color = plot.CYCLE[1] if parts else plot.MUTED
            ax.text(h, v + up * 0.62, f"梯度 {said}", color=color, **middle)
        ax.set(xlim=(-0.75, 3.6), ylim=(-0.85, 1.7))
        ax.set_axis_off()
        frames.append(fig)
    return frames


def figure_tanh():
    """Draw tanh and its first four derivatives, each the gradient of the one before."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    x = Tensor(np.linspace(-3, 3, 241), requires_grad=True)
    y = x.tanh()
    fig = Figure(figsize=(6.2, 3.8))
    ax = fig.subplots()
    names = ["tanh", "一阶", "二阶", "三阶", "四阶"]
    dashes = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
    for name, color, dash in zip(names, plot.CYCLE, dashes, strict=False):
        ax.plot(x.data, y.data, color=color, linestyle=dash, label=name)
        (y,) = grad(y, x, np.ones(x.shape), create_graph=True)
    ax.set(xlabel="x", xlim=(-3, 3))
    ax.legend(
        ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=0.9, handlelength=1.6
    )
    return fig


def _flops(layers: Iterable[Callable[..., Any]], x: torch.Tensor) -> tuple[int, int]:
    """Return the floating-point operations of a chain's forward and backward."""
    with FlopCounterMode(display=False) as counter:
        for layer in layers:
            x = layer(x)
        forward = counter.get_total_flops()
        x.sum().backward()
    return forward, counter.get_total_flops() - forward


def figure_cost():
    """Stack the multiplications of a 64-layer MLP: forward, backward, and recomputation."""
    from matplotlib.figure import Figure
    from torch.utils.checkpoint import checkpoint

    from snippets.common import plot

    layers = [torch.nn.Linear(16, 16) for _ in range(64)]

    again = partial(partial, checkpoint, use_reentrant=True)
    x = torch.randn(8, 16)
    cases = {
        "输入不要梯度": _flops(layers, x),
        "输入也要梯度": _flops(layers, x.clone().requires_grad_()),
        "每层一个检查点": _flops(map(again, layers), x.clone().requires_grad_()),
    }
    unit = cases["输入不要梯度"][0]
    full = cases["输入也要梯度"][1]
    fig = Figure(figsize=(6.0, 2.5))
    ax = fig.subplots()
    for place, (forward, backward) in enumerate(cases.values()):
        start = 0.0
        parts = [forward, min(backward, full), max(backward - full, 0)]
        for part, color, name in zip(parts, plot.CYCLE, ("前向", "反向", "重算"), strict=False):
            label = name if place == 2 else None
            ax.barh(place, part / unit, left=start, color=color, height=0.6, label=label)
            start += part / unit
        ax.text(start + 0.06, place, f"{start:.6g}", va="center")
    ax.set(xlim=(0, 4.6), xlabel="乘加次数（一次前向 = 1）")
    ax.set_yticks(range(3), list(cases))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.45, 1.0))
    return fig
