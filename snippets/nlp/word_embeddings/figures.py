"""The figures of the page, drawn from its record or from a few lines of arithmetic."""

import numpy as np

from snippets.common import records

from .lookup import one_hot
from .tree import huffman

ARTICLE = "nlp/word-embeddings"


def figure_lookup():
    """Multiply the one-hot rows of two characters by a table: two rows of the table come out."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    words, idx = "明月几时有", np.array([1, 3])
    X, W = one_hot(idx, 5), np.arange(1, 16).reshape(5, 3)
    parts = [(0.0, X, "月时"), (6.6, W, words), (11.2, X @ W, "月时")]
    fig = Figure(figsize=(5.4, 2.3))
    ax = fig.subplots()
    for left, M, names in parts:
        top = (5 - len(M)) / 2
        for i, row in enumerate(M):
            for j, value in enumerate(row):
                chosen = value if M is X else names[i] in "月时"
                color = plot.CYCLE["月时".index(names[i])] if chosen else plot.GRID
                box = Rectangle((left + j, top + i), 0.94, 0.94, color=color, alpha=0.3, lw=0)
                ax.add_patch(box)
                place = left + j + 0.47, top + i + 0.5
                ax.text(*place, f"{value:.0f}", ha="center", va="center", fontsize=14)
            ax.text(left - 0.15, top + i + 0.5, names[i], ha="right", va="center", fontsize=14)
    for x, sign in ((5.4, "×"), (10.1, "=")):
        ax.text(x, 2.5, sign, ha="center", va="center", fontsize=20)
    for x, title in ((2.5, "独热矩阵 X"), (8.1, "词向量表 W"), (12.7, "XW：W 的两行")):
        ax.text(x, -0.5, title, ha="center", va="center", color=plot.MUTED)
    ax.set(xlim=(-0.8, 14.3), ylim=(5.1, -0.9))
    ax.set_axis_off()
    return fig


def figure_huffman():
    """Draw the Huffman tree of the vocabulary's small example, with codes under the leaves."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    words, counts = "人春花月", np.array([5, 2, 1, 1])
    codes, _ = huffman(counts)
    bits = ["".join(map(str, code)) for code in codes]
    order = sorted(range(len(words)), key=lambda i: bits[i])
    place = {bits[i]: (x, -len(bits[i])) for x, i in enumerate(order)}
    weight = {bits[i]: int(counts[i]) for i in order}
    for node in sorted({b[:n] for b in bits for n in range(len(b))}, key=len, reverse=True):
        (x0, _), (x1, _) = place[node + "0"], place[node + "1"]
        place[node] = ((x0 + x1) / 2, -len(node))
        weight[node] = weight[node + "0"] + weight[node + "1"]
    fig = Figure(figsize=(5.4, 3.0))
    ax = fig.subplots()
    for node, (x, y) in place.items():
        if node:
            px, py = place[node[:-1]]
            ax.plot([px, x], [py, y], color=plot.MUTED, linewidth=1.2, zorder=0)
            box = {"facecolor": plot.PAPER, "edgecolor": "none", "pad": 1}
            middle = (px + x) / 2, (py + y) / 2
            ax.text(*middle, node[-1], ha="center", va="center", color=plot.MUTED, bbox=box)
        leaf = node in bits
        color = plot.CYCLE[0] if leaf else plot.CYCLE[1]
        ax.scatter(x, y, s=520, color=plot.PAPER, edgecolors=color, linewidths=1.6)
        ax.text(x, y, weight[node], ha="center", va="center", fontsize=13)
        if leaf:
            name = f"{words[bits.index(node)]}  {node}"
            ax.text(x, y - 0.42, name, ha="center", va="center", fontsize=13)
    ax.set(xlim=(-0.6, 3.6), ylim=(-3.7, 0.35))
    ax.set_axis_off()
    return fig


def figure_map():
    """Spread 60 characters of 宋词 over the plane, coloured by what they name."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 5.8))
    ax = fig.subplots()
    groups = records.load(ARTICLE).results["map"]
    for (name, places), color in zip(groups.items(), plot.CYCLE, strict=False):
        for i, (word, (x, y)) in enumerate(places.items()):
            label = name if i == 0 else None
            ax.scatter(x, y, s=260, color=color, alpha=0.16, linewidths=0, label=label)
            ax.text(x, y, word, color=color, ha="center", va="center", fontsize=14)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=4, handletextpad=0.1)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    return fig


def figure_theorem():
    """Scatter the scores that negative sampling learned against PMI − log k, for three widths."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 2.6))
    fig.set_layout_engine("constrained", w_pad=0.1)  # the signs of the ticks stay inside
    results = records.load(ARTICLE).results["theorem"]
    results = dict(sorted(results.items(), key=lambda item: int(item[0][1:])))
    axes = fig.subplots(1, len(results), sharex=True, sharey=True)
    for ax, (width, result) in zip(axes, results.items(), strict=True):
        ax.plot([-4, 2], [-4, 2], color=plot.MUTED, linewidth=1)
        ax.scatter(*zip(*result["points"], strict=True), s=9, alpha=0.45, linewidths=0)
        ax.set_title(f"d = {width[1:]}\n相关 {result['corr']:.3f}")
        ax.set(xlabel="PMI − log 5", xlim=(-4.2, 2.2), ylim=(-4.2, 2.2))
    axes[0].text(-4, 2, "纵轴 w·c", va="top", fontsize=11)  # a rotated label would be cut off
    return fig


def figure_training():
    """Draw the loss on held-out clauses while training, for the three models."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 3.2))
    results = records.load(ARTICLE).results["songci"]
    names = {"sg": "skip-gram", "cbow": "CBOW", "hs": "层次 softmax"}
    axes = fig.subplots(1, 2)
    for (key, name), color in zip(names.items(), plot.CYCLE, strict=False):
        ax = axes[int(key == "hs")]
        loss = results[key]["loss"]
        ax.plot(np.linspace(0, results[key]["epochs"], len(loss)), loss, color=color, label=name)
        ax.set(xlabel="遍数")
        ax.legend()
    axes[0].set_title("测试集上的损失", loc="left")
    return fig


def figure_frequency():
    """Draw how much of the neighbourhood of a word shares its decile of frequency."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.4, 3.2))
    ax = fig.subplots()
    results = records.load(ARTICLE).results["songci"]
    names = {"sg": "skip-gram", "cbow": "CBOW", "ppmi_svd": "PPMI-SVD"}
    for (key, name), marker in zip(names.items(), "os^", strict=True):
        share = results[key]["same_decile"]
        ax.plot(range(1, len(share) + 1), share, marker=marker, label=name)
    ax.axhline(0.1, color=plot.MUTED, linewidth=1)
    ax.text(10.1, 0.1, "随机", color=plot.MUTED, va="bottom", ha="right")
    ax.set(xlabel="频率的十分位（1 最常见）")
    ax.set_title("近邻中同档的比例", loc="left")
    ax.set(xticks=range(1, 11), ylim=(0, None))
    ax.legend()
    return fig
