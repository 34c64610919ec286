"""The figures of the page: drawn from systems that are run, or from the recorded run."""

from itertools import pairwise

import numpy as np
import torch

from .hippo import hippo, legendre_project, legs_online, reconstruct
from .lru import LRU
from .s4 import nplr_legs, s4d_init

ARTICLE = "nlp/state-space-models"


def _figure_signal(t):
    """Return a stream with fast and slow parts, for t in [0, 1]."""
    return np.sin(2 * np.pi * 1.5 * t) + 0.5 * np.sin(2 * np.pi * 7 * t * t + 1)


def figure_memory():
    """Six moments of a stream: the whole past (LegS) and a window (LegT), each in 24 numbers."""
    from matplotlib.figure import Figure
    from scipy.linalg import expm

    from snippets.common import plot

    L, N, window = 960, 24, 0.25
    times = (np.arange(L) + 0.5) / L
    u = _figure_signal(times)
    whole = legs_online(u, N)
    A, B = hippo(N, "legt")
    step = expm(np.block([[A, B], [np.zeros((1, N + 1))]]) / (L * window))[:N]
    last = np.zeros((L, N))
    for k in range(L):
        last[k] = step @ np.append(last[k - 1], u[k])
    fraction = np.linspace(0, 1, 300)
    frames = []
    for seen in range(L // 6, L + 1, L // 6):
        now = seen / L
        fig = Figure(figsize=(6.4, 3.8), label=f"看到第 {seen} 个样本，共 {L} 个")
        axes = fig.subplots(2, 1, sharex=True)
        start = max(0.0, now - window)
        tail = 1 - (now - start) / window + fraction * (now - start) / window
        parts = (
            ("LegS：全部历史", whole[seen - 1], fraction, now * fraction, 0),
            ("LegT：最近四分之一", last[seen - 1], tail, now - window * (1 - tail), 1),
        )
        for ax, (name, c, s, t, color) in zip(axes, parts, strict=True):
            ax.plot(times, u, color=plot.GRID, lw=4)
            ax.plot(t, reconstruct(c, s), color=plot.CYCLE[color])
            ax.axvline(now, color=plot.MUTED, lw=1, ls="--")
            ax.set(ylim=(-2.1, 2.1), xlim=(0, 1), yticks=(-1, 0, 1))
            ax.set_title(name, color=plot.CYCLE[color], loc="left")
        axes[1].set_xlabel("时间")
        frames.append(fig)
    return frames


def figure_rates():
    """Error against N for a step, a kink and an analytic function."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    cases = {
        "跳变": (lambda t: 1.0 * (t > 0.37), (0.37,), "o"),
        "折角": (lambda t: abs(t - 0.37), (0.37,), "s"),
        "解析": (lambda t: np.exp(t) * np.sin(9 * t), (), "D"),
    }
    sizes = np.array([4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128])
    fig = Figure(figsize=(5.6, 3.6))
    ax = fig.subplots()
    for i, (name, (f, breaks, marker)) in enumerate(cases.items()):
        c = legendre_project(f, 192, 1.0, breaks)
        x, w = np.polynomial.legendre.leggauss(200)
        ends = [0, *breaks, 1]
        square = 0.0
        for a, b in pairwise(ends):
            square += (b - a) / 2 * (w @ f(a + (b - a) * (x + 1) / 2) ** 2)
        missed = [(square - (c[:n] ** 2).sum() if breaks else (c[n:] ** 2).sum()) for n in sizes]
        shown = [(n, m**0.5) for n, m in zip(sizes, missed, strict=True) if m > 1e-24]
        ax.plot(*zip(*shown, strict=True), color=plot.CYCLE[i], marker=marker, label=name)
    ax.plot(sizes, 0.45 * sizes**-0.5, color=plot.MUTED, lw=1, ls="--")
    ax.plot(sizes, 0.24 * sizes**-1.5, color=plot.MUTED, lw=1, ls="--")
    ax.text(140, 0.03, "$N^{-1/2}$", color=plot.MUTED)
    ax.text(140, 1.1e-4, "$N^{-3/2}$", color=plot.MUTED)
    ax.set_xscale("log", base=2)
    ax.set(yscale="log", xlabel="系数个数 $N$", ylabel="平方平均误差", xlim=(3.6, 240))
    ax.set(xticks=(4, 8, 16, 32, 64, 128), xticklabels=("4", "8", "16", "32", "64", "128"))
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return fig


def figure_impulse():
    """What each of the first five states keeps of an impulse, over its age."""
    from matplotlib.figure import Figure
    from scipy.linalg import expm

    from snippets.common import plot

    fig = Figure(figsize=(6.4, 3.0))
    axes = fig.subplots(1, 3)
    spans = {"legs": ("LegS，去掉 1/t", 4.0), "legt": ("LegT", 1.5), "fout": ("FouT", 1.5)}
    for ax, (kind, (name, end)) in zip(axes, spans.items(), strict=True):
        A, B = hippo(64 if kind != "legs" else 5, kind)
        ages = np.linspace(0, end, 240)
        step, state = expm(A * ages[1]), B[:, 0]
        responses = [state]
        for _ in ages[1:]:
            state = step @ state
            responses.append(state)
        for n in range(4):
            ax.plot(ages, np.array(responses)[:, n], color=plot.CYCLE[n], lw=1.6, label=f"$n={n}$")
        ax.set(title=name, xlabel="时间", ylim=(-3, 3))
        ax.set_yticks((-2, 0, 2))
    axes[0].legend(loc="lower right", ncols=2, columnspacing=0.8, handlelength=1)
    return fig


def figure_conditioning():
    """Condition number of the eigenvectors of LegS, and of the unitary ones of its normal part."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    sizes = range(2, 33, 2)
    plain = [np.linalg.cond(np.linalg.eig(hippo(N)[0])[1]) for N in sizes]
    normal = [np.linalg.cond(nplr_legs(N)[1]) for N in sizes]
    fig = Figure(figsize=(5.6, 3.2))
    ax = fig.subplots()
    ax.plot(sizes, plain, color=plot.CYCLE[1], marker="o", label="直接对角化")
    ax.plot(sizes, normal, color=plot.CYCLE[0], marker="s", label="先加上 $PP^\\top$")
    ax.axhline(2.0**53, color=plot.MUTED, lw=1, ls="--")
    ax.text(2, 3e16, "双精度的全部有效数字", color=plot.MUTED)
    ax.set(yscale="log", xlabel="$N$", ylabel="条件数", ylim=(0.1, 1e21))
    ax.set_yticks((1, 1e5, 1e10, 1e15, 1e20))
    ax.minorticks_off()
    ax.legend(loc="center right")
    return fig


def figure_eigenvalues():
    """Where the eigenvalues start: S4D's half plane, LRU's ring."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(6.4, 3.4))
    left, right = fig.subplots(1, 2)
    for i, kind in enumerate(("lin", "inv", "legs")):
        frequencies = s4d_init(64, kind).imag
        frequencies = np.sort(frequencies[frequencies > 0])
        left.plot(
            32 - np.arange(len(frequencies))[::-1], frequencies, color=plot.CYCLE[i], label=kind
        )
    left.set(yscale="log", xlabel="第几个", ylabel="虚部", ylim=(0.1, 4000), xticks=(1, 16, 32))
    left.set_title("S4D：实部全是 −1/2")
    left.minorticks_off()
    left.legend()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rings = LRU(1, 200, 0.9, 0.999), LRU(1, 200, 0.9, 0.999, 0.3)
    for i, (lru, name) in enumerate(zip(rings, ("全部相位", "小相位"), strict=True)):
        values = lru.eigenvalues().detach().numpy()
        right.scatter(values.real, values.imag, s=9, color=plot.CYCLE[3 * i], label=name)
    angle = np.linspace(0, 2 * np.pi, 200)
    right.plot(np.cos(angle), np.sin(angle), color=plot.MUTED, lw=1)
    right.set(title="LRU：圆环", aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    right.legend(loc="center")
    return fig


def _figure_wires(method, L):
    """Return the rounds of a scan: which position reads which, and which it writes."""
    if method == "hillis":
        reach, rounds = 1, []
        while reach < L:
            rounds.append([(i - reach, i) for i in range(reach, L)])
            reach *= 2
        return rounds
    if method == "chunk":
        starts = range(0, L, 4)
        walk = [[(s + q - 1, s + q) for s in starts] for q in range(1, 4)]
        carry = [[(s - 1, s + 3)] for s in starts[1:]]
        return [*walk, *carry, [(s - 1, s + q) for s in starts[1:] for q in range(3)]]
    up, down, reach = [], [], 1
    while reach < L:
        ends = range(2 * reach - 1, L, 2 * reach)
        up.append([(i - reach, i) for i in ends])
        down.insert(0, [(i, i + reach) for i in ends if i + reach < L])
        reach *= 2
    return up + [pairs for pairs in down if pairs]


def figure_scan():
    """Sixteen steps scanned in three ways: time downwards, one line per combination."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    L = 16
    fig = Figure(figsize=(6.4, 3.6))
    axes = fig.subplots(1, 3, sharey=True)
    names = {"hillis": "Hillis–Steele", "oddeven": "奇偶", "chunk": "分块，每块 4"}
    for ax, (method, name) in zip(axes, names.items(), strict=True):
        rounds = _figure_wires(method, L)
        for depth, pairs in enumerate(rounds):
            for source, target in pairs:
                line = {"color": plot.CYCLE[0], "lw": 1}
                ax.plot((source, target), (depth, depth + 1), **line)
            targets = [target for _, target in pairs]
            ax.scatter(targets, [depth + 1] * len(targets), s=9, color=plot.CYCLE[1], zorder=3)
        ax.scatter(range(L), [0] * L, s=9, color=plot.MUTED)
        total = sum(len(pairs) for pairs in rounds)
        ax.set(title=name, xlabel=f"{len(rounds)} 轮，{total} 次", xticks=(0, 15))
        ax.set(ylim=(8.5, -0.5), yticks=(0, 2, 4, 6, 8))
    axes[0].set_ylabel("第几轮之后")
    return fig


def figure_growth():
    """How much faster than the loop, and how many multiplications a step."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    results = records.load(ARTICLE).results
    names = {"odd_even": "奇偶", "hillis_steele": "Hillis–Steele", "chunked": "分块 64"}
    fig = Figure(figsize=(6.4, 3.5))
    left, right = fig.subplots(1, 2)
    for i, (key, name) in enumerate(names.items()):
        style = {"color": plot.CYCLE[i], "marker": "osD"[i], "label": name}
        for ax, part in ((left, "faster"), (right, "counts")):
            lengths = sorted(int(length[1:]) for length in results[part])
            rows = [results[part][f"l{length}"][key] for length in lengths]
            values = [row if part == "faster" else row["per_step"] for row in rows]
            ax.plot(lengths, values, **style)
    left.set(ylabel="比逐步循环快多少倍", yscale="log")
    left.set(yticks=(1, 3, 10, 30, 100), yticklabels=("1", "3", "10", "30", "100"))
    left.axhline(1, color=plot.MUTED, lw=1, ls="--")
    right.set(ylabel="每步的乘法次数", ylim=(0, 29))
    right.axhline(1, color=plot.MUTED, lw=1, ls="--")
    right.legend(loc="upper left")
    for ax in (left, right):
        ax.set_xscale("log", base=4)
        ax.set(xlabel="长度 $L$", xticks=(64, 1024, 16384))
        ax.set_xticklabels(("64", "1024", "16384"))
        ax.minorticks_off()
    return fig


def figure_learning():
    """Accuracy over training: recall of what came first, and the last word said."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    results = records.load(ARTICLE).results
    fig = Figure(figsize=(6.4, 3.4))
    axes = fig.subplots(1, 2, sharey=True)
    panels = (
        ("隔很久的回忆", results["recall"], {"lru": "LRU", "rnn": "tanh RNN", "lstm": "LSTM"}),
        ("最近说的词", results["latest"], {"mamba": "Mamba", "lti": "不看输入"}),
    )
    for ax, (title, table, names) in zip(axes, panels, strict=True):
        for i, (core, name) in enumerate(names.items()):
            for curve in table[core]["rate_0_01"]["curves"]:
                steps = 20 * (np.arange(len(curve)) + 1)
                ax.plot(steps, curve, color=plot.CYCLE[i], lw=1.5, label=name)
                name = None
        ax.axhline(1 / 8, color=plot.MUTED, lw=1, ls="--")
        ax.set(title=title, xlabel="训练步数", ylim=(0, 1.05))
    axes[0].legend(loc="upper right", bbox_to_anchor=(1, 0.94))
    axes[1].legend(loc="center right")
    axes[0].set_ylabel("正确率")
    return fig


def figure_masks():
    """The matrices that turn inputs into outputs: one decay for all, a decay of each token."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from snippets.common import plot

    from .duality import decay_mask

    L = 16
    chosen = torch.full((1, L), -0.1)
    chosen[0, [5, 11]] = -3.0
    masks = {
        "线性注意力": torch.zeros(1, L),
        "RetNet": torch.full((1, L), 0.8).log(),
        "SSD": chosen,
    }
    cells = ListedColormap(plot.sequential_colors(24))
    fig = Figure(figsize=(6.4, 2.6))
    for ax, (name, log_a) in zip(fig.subplots(1, 3), masks.items(), strict=True):
        mask = decay_mask(log_a)[0].numpy()
        shown = np.ma.masked_where(np.triu(np.ones((L, L)), 1) > 0, mask)
        ax.pcolormesh(shown, cmap=cells, vmin=0, vmax=1, edgecolors=plot.PAPER, lw=0.4)
        ax.set(title=name, aspect="equal", ylim=(L, 0), xticks=(), yticks=())
        ax.grid(False)
    return fig
