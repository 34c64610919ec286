"""Figures of the page, each computed by the engine or measured in torch."""

from typing import Any

import numpy as np

from .engine import Tensor, ancestors, grad


def figure_sweep():
    """Walk y = a b, a = x x, b = a + x at x = 2 in reverse, one frame a step."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    x = Tensor(2, requires_grad=True)
    a = x * x
    b = a + x
    y = a * b
    names = {x: "x", a: "a = x·x", b: "b = a + x", y: "y = a·b"}
    place = {x: (0.0, 0.0), a: (1.0, 0.9), b: (2.0, 0.0), y: (3.0, 0.9)}
    edges = [(x, a, 0.25), (x, a, -0.25), (x, b, 0.0), (a, b, 0.0), (a, y, 0.0), (b, y, 0.0)]
    so_far: dict[Any, list[float]] = {t: [] for t in names}
    so_far[y] = [1.0]
    frames = []
    for step, t in enumerate([None, *reversed(ancestors(y))]):
        label = "前向结束：dy/dy = 1，别处还没有梯度"
        if t is not None and t.node:
            operation, inputs, options = t.node
            g = Tensor(sum(so_far[t]))
            for i, source in enumerate(inputs):
                so_far[source].append(operation.vjps[i](g, t, *inputs, **options).item())
            sent = " 与 ".join(names[s][0] for s in dict.fromkeys(inputs))
            label = f"{names[t][0]} 的梯度到齐，是 {g.item():g}；它送给 {sent}"
        elif t is not None:
            label = f"x 的梯度到齐，是 {sum(so_far[x]):g}，结束"
        fig = Figure(figsize=(6.4, 3.1), label=label)
        ax = fig.subplots()
        for source, target, bend in edges:
            color = plot.CYCLE[1] if target is t else plot.MUTED
            style = {"arrowstyle": "-|>", "color": color, "lw": 1.6, "shrinkA": 24, "shrinkB": 24}
            style["connectionstyle"] = f"arc3,rad={bend}"
            ends = (place[target], place[source]) if step else (place[source], place[target])
            ax.annotate("", ends[1], ends[0], arrowprops=style)
        for each, (h, v) in place.items():
            done = each is t
            edge = plot.CYCLE[1] if done else plot.CYCLE[0]
            ax.scatter(h, v, s=1500, color=plot.PAPER, edgecolors=edge, linewidths=1.8, zorder=3)
            ax.text(h, v, f"{each.item():g}", ha="center", va="center", fontsize=14, zorder=4)
            up = 1 if v else -1
            ax.text(h, v + up * 0.37, names[each], ha="center", va="center", fontsize=12)
            parts = so_far[each]
            said = " + ".join(f"{p:g}" for p in parts)
            if len(parts) > 1:
                said += f" = {sum(parts):g}"
            said = f"梯度 {said}" if parts else "梯度 –"
            color = plot.CYCLE[1] if parts else plot.MUTED
            ax.text(h, v + up * 0.6, said, ha="center", va="center", fontsize=12, color=color)
        ax.set(xlim=(-0.6, 3.6), ylim=(-0.8, 1.7))
        ax.set_axis_off()
        frames.append(fig)
    return frames


def figure_tanh():
    """Draw tanh and its first four derivatives, each the gradient of the one before."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    x = Tensor(np.linspace(-3, 3, 241), requires_grad=True)
    y = x.tanh()
    fig = Figure(figsize=(7.0, 3.8))
    ax = fig.subplots()
    names = ["tanh", "一阶", "二阶", "三阶", "四阶"]
    dashes = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
    for name, color, dash in zip(names, plot.CYCLE, dashes, strict=False):
        ax.plot(x.data, y.data, color=color, linestyle=dash, label=name)
        (y,) = grad(y, x, np.ones(x.shape), create_graph=True)
    ax.set(xlabel="x", xlim=(-3, 3))
    ax.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=1.2)
    return fig


def figure_cost():
    """Stack the multiplications of a 64-layer MLP: forward, backward, and recomputation."""
    import torch
    from matplotlib.figure import Figure
    from torch.utils.checkpoint import checkpoint
    from torch.utils.flop_counter import FlopCounterMode

    from snippets.common import plot

    layers = [torch.nn.Linear(16, 16) for _ in range(64)]

    def measure(x, run):
        with FlopCounterMode(display=False) as counter:
            for layer in layers:
                x = run(layer, x)
            forward = counter.get_total_flops()
            x.sum().backward()
        return forward, counter.get_total_flops() - forward

    def plain(layer, x):
        return layer(x)

    def again(layer, x):
        return checkpoint(layer, x, use_reentrant=True)

    x = torch.randn(8, 16)
    cases = {
        "输入不要梯度": measure(x, plain),
        "输入也要梯度": measure(x.clone().requires_grad_(), plain),
        "每层一个检查点": measure(x.clone().requires_grad_(), again),
    }
    unit = cases["输入不要梯度"][0]
    full = cases["输入也要梯度"][1]
    fig = Figure(figsize=(6.6, 2.5))
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
