"""The figures of the page: computed here, or read from the recorded run."""

ARTICLE = "cv/detr"


def _figure_box(ax, box, color, text="", **style) -> None:
    """Outline a box given by its corners, with a word above it."""
    from snippets.common import plot

    x0, y0, x1, y1 = box
    ax.plot((x0, x1, x1, x0, x0), (y0, y0, y1, y1, y0), color=color, **{"lw": 1.8} | style)
    if text:
        behind = {"fc": plot.PAPER, "ec": "none", "pad": 0.8}  # the picture may have any colour
        ax.text(x0 + 0.5, y0, text, color=plot.INK, fontsize=11, va="bottom", bbox=behind)


def _figure_picture(ax, image) -> None:
    """Show pixels (C, 64, 64) without axes."""
    rows = image.transpose(1, 2, 0)
    pixels = rows if rows.shape[-1] == 3 else rows[..., 0]
    ax.imshow(pixels, extent=(0, 64, 64, 0), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    ax.set_axis_off()


def _figure_scenes(count):
    """Draw again the pictures on which the recorded run was tested."""
    import numpy as np

    from .shapes_data import scenes, shapes_scene

    return scenes(shapes_scene, np.random.default_rng(1), count)[0].numpy()


def _figure_unpack(text, *shape):
    """Return the numbers in [0, 1] that the run wrote as hexadecimal digits."""
    import numpy as np

    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(shape) / 255


def figure_idea():
    """One picture, eight slots: what each says, and which object it belongs to."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    from .shapes_data import SHAPES

    found = records.load(ARTICLE).results["eos"]["idea"]
    image = _figure_scenes(found["scene"] + 1)[-1]
    fig = Figure(figsize=(6.6, 3.2))
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.25))
    _figure_picture(left, image)
    right.set(xlim=(0, 10), ylim=(8.6, -0.6))
    right.set_axis_off()
    rows = [3.5 + 2.6 * (k - (len(found["truth"]) - 1) / 2) for k in range(len(found["truth"]))]
    for q, (label, p, box, to) in enumerate(
        zip(found["labels"], found["scores"], found["boxes"], found["object"], strict=True)
    ):
        color = plot.MUTED if to < 0 else plot.CYCLE[to]
        words = "∅" if label == len(SHAPES) else SHAPES[label]
        right.text(0, q, f"{q}", color=plot.MUTED, fontsize=12, va="center")
        right.text(0.8, q, f"{words} {p:.2f}", color=color, fontsize=12, va="center")
        if to >= 0:
            _figure_box(left, box, color)
            right.plot((5.2, 6.9), (q, rows[to]), color=color, lw=1.6)
    for k, label in enumerate(found["truth_labels"]):
        right.text(7.1, rows[k], SHAPES[label], color=plot.CYCLE[k], fontsize=12, va="center")
    right.text(0, -0.9, "八个查询的话", color=plot.MUTED, fontsize=11)
    right.text(6.8, -0.9, "真有的物体", color=plot.MUTED, fontsize=11)
    return fig


def figure_gradients():
    """A square slides past another: three losses and their slopes."""
    import numpy as np
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot

    from .boxes import box_iou, paired_giou

    fixed = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    shift = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    x = torch.stack([shift, 0 * shift, shift + 1, 0 * shift + 1], 1)
    losses = {
        "L1 / 2": (x - fixed).abs().sum(1) / 2,
        "1 − IoU": 1 - box_iou(x, fixed)[0][:, 0],
        "1 − GIoU": 1 - paired_giou(x, fixed.expand_as(x)),
    }
    fig = Figure(figsize=(6.6, 5.0))
    above, below = fig.subplots(2, 1, sharex=True)
    for k, (name, value) in enumerate(losses.items()):
        (slope,) = torch.autograd.grad(value.sum(), shift, retain_graph=True)
        style = {"color": plot.CYCLE[k], "lw": 2, "ls": ("-", "--", "-")[k]}
        above.plot(shift.detach(), value.detach(), label=name, **style)
        slopes = np.where(np.abs(np.diff(slope, prepend=slope[0])) > 0.3, np.nan, slope)
        below.plot(shift.detach(), slopes, **style)
    above.set_title("损失", loc="left")
    below.set_title("对位移的导数", loc="left")
    below.set_xlabel("位移，以边长为单位")
    above.legend(loc="upper center", ncols=3)
    above.set_ylim(-0.1, 3.9)
    return fig


def figure_assignment():
    """Row after row: reduced costs, potentials, and the pairs that hold."""
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    from .matching import assignment_with_potentials

    cost = np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]], float)
    frames = []
    for n in range(4):
        columns, u, v = (
            assignment_with_potentials(cost[:n]) if n else (np.empty(0, int), *np.zeros((2, 3)))
        )
        fig = Figure(figsize=(6.6, 3.3))
        ax = fig.subplots()
        ax.set(xlim=(-1.5, 7.6), ylim=(3.2, -1.1), aspect="equal")
        ax.set_axis_off()
        for left, title in ((0, "代价 C"), (4.4, "约化代价 C − u − v")):
            ax.text(left + 1.5, -0.85, title, ha="center", fontsize=11, color=plot.INK)
            for i in range(3):
                for j in range(3):
                    pair = i < n and columns[i] == j
                    fill = plot.CYCLE[0] if pair else plot.PAPER
                    ax.add_patch(Rectangle((left + j, i), 1, 1, fc=fill, ec=plot.GRID, alpha=1))
                    value = cost[i, j] - (u[i] + v[j] if left and i < n else 0)
                    faded = left and i >= n
                    color = plot.PAPER if pair else plot.MUTED if faded else plot.INK
                    ax.text(
                        left + j + 0.5,
                        i + 0.5,
                        "·" if faded else f"{value:g}",
                        ha="center",
                        va="center",
                        fontsize=13,
                        color=color,
                    )
        for i in range(n):
            words = f"u = {u[i]:g}"
            ax.text(4.3, i + 0.5, words, ha="right", va="center", fontsize=10, color=plot.CYCLE[1])
        for j in range(3):
            words = f"v = {v[j] + 0:g}"
            ax.text(j + 4.9, 3.12, words, ha="center", va="top", fontsize=10, color=plot.CYCLE[2])
        total = cost[np.arange(n), columns].sum()
        fig.set_label(f"放进 {n} 行：配对的代价和 {total:g}，Σu + Σv = {u[:n].sum() + v.sum():g}")
        frames.append(fig)
    return frames


def figure_positions():
    """How alike the encoding of one cell is to those of all others, at two temperatures."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from snippets.common import plot

    from .positions import sine_position_encoding_2d

    fig = Figure(figsize=(6.6, 3.6))
    for ax, temperature in zip(fig.subplots(1, 2), (10000, 20), strict=True):
        pos = sine_position_encoding_2d((16, 16), 64, temperature)
        alike = (pos @ pos[5, 9]).numpy() / 32
        colors = ListedColormap(plot.sequential_colors(12))
        shown = ax.pcolormesh(alike, cmap=colors, vmin=0, vmax=1, edgecolors="face", lw=0.1)
        ax.plot(9.5, 5.5, "o", color=plot.CYCLE[1], ms=6)
        ax.set(aspect="equal", ylim=(16, 0), title=f"T = {temperature}", xticks=[], yticks=[])
    fig.colorbar(shown, ax=fig.axes, shrink=0.75)
    return fig


def figure_losses():
    """What is learned first: boxes, long before classes; and what pre-training brings."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load(ARTICLE)
    window = record.inputs["window"]
    fig = Figure(figsize=(6.6, 5.2))
    axes = fig.subplots(3, 1, sharex=True)
    runs = {"eos": "形状", "digits": "数字，预训练", "scratch": "数字，从零"}
    titles = {"ce": "分类的交叉熵", "bbox": "边框的 L1", "giou": "1 − GIoU"}
    for k, (run, words) in enumerate(runs.items()):
        history = record.results[run]["history"]
        for ax, (name, title) in zip(axes, titles.items(), strict=True):
            steps = [window * (i + 0.5) for i in range(len(history[name]))]
            ax.plot(steps, history[name], color=plot.CYCLE[k], lw=1.8, label=words)
            ax.set_title(title, loc="left")
    axes[0].legend(loc="upper center", ncols=3)
    axes[2].set_xlabel("步")
    for ax in axes:
        ax.set_ylim(bottom=0)
    axes[0].set_ylim(top=3.4)
    return fig


def figure_predictions():
    """Pictures the detectors never saw, with every detection above one half."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    from .shapes_data import SHAPES

    results = records.load(ARTICLE).results
    fig = Figure(figsize=(6.6, 4.7))
    axes = fig.subplots(2, 3)
    drawn = _figure_scenes(3)
    for k, ax in enumerate(axes[0]):
        _figure_picture(ax, drawn[k])
        for box, label in _figure_found(results["eos"]["pictures"][k]):
            _figure_box(ax, box, plot.CYCLE[4], SHAPES[label])
    for k, ax in enumerate(axes[1]):
        one = results["digits"]["pictures"][k]
        _figure_picture(ax, _figure_unpack(one["pixels"], 1, 64, 64))
        for box, label in _figure_found(one):
            _figure_box(ax, box, plot.CYCLE[4], str(label))
    return fig


def _figure_found(one):
    """Return boxes and labels of a recorded picture."""
    return zip(one["boxes"], one["labels"], strict=True)


def figure_attention():
    """Where each detection looked in the last decoder layer."""
    import numpy as np
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    pictures = records.load(ARTICLE).results["eos"]["pictures"]
    k = max(range(len(pictures)), key=lambda i: len(pictures[i]["boxes"]))
    one, image = pictures[k], _figure_scenes(k + 1)[-1]
    shown = min(3, len(one["boxes"]))
    fig = Figure(figsize=(6.6, 2.6))
    axes = fig.subplots(1, shown + 1)
    _figure_picture(axes[0], image)
    axes[0].set_title("图", fontsize=11)
    surest = sorted(range(len(one["scores"])), key=lambda i: -one["scores"][i])
    for i, ax in zip(surest, axes[1:], strict=False):
        look = np.kron(_figure_unpack(one["attention"][i], 8, 8), np.ones((8, 8)))
        _figure_picture(ax, image * (0.15 + 0.85 * look))
        _figure_box(ax, one["boxes"][i], plot.CYCLE[4])
        ax.set_title(f"查询 {one['queries'][i]}", fontsize=11)
    return fig


def figure_slots():
    """Where the objects lay that each query was given."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    slots = records.load(ARTICLE).results["eos"]["slots"]
    fig = Figure(figsize=(6.6, 3.7))
    for q, ax in enumerate(fig.subplots(2, 4).ravel()):
        slot = slots[f"q{q}"]
        ax.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"{q}：{slot['count']} 次", fontsize=10)
        if slot["boxes"]:
            x, y, w, h = _figure_unpack(slot["boxes"], -1, 4).T
            ax.scatter(x, y, s=600 * w * h, color=plot.CYCLE[q % 7], alpha=0.45, lw=0)
    return fig


def figure_precision():
    """Precision over recall of five detections, and what the average reads off it."""
    import numpy as np
    from matplotlib.figure import Figure

    from snippets.common import plot

    hits = np.array([True, False, True, True, False])
    recall, precision = hits.cumsum() / 4, hits.cumsum() / np.arange(1, 6)
    levels = np.linspace(0, 1, 101)
    best = [
        max((p for r, p in zip(recall, precision, strict=True) if r >= x), default=0)
        for x in levels
    ]
    fig = Figure(figsize=(6.6, 3.2))
    ax = fig.subplots()
    ax.plot(levels, best, ".", color=plot.CYCLE[0], ms=4, label="101 个召回率处的包络")
    ax.plot(recall, precision, "o-", color=plot.CYCLE[1], lw=1.2, label="五个检测依次加入")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.04, 1.08), xlabel="召回率")
    ax.set_title("精确率", loc="left")
    ax.legend(loc="lower left")
    return fig
