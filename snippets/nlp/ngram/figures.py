"""The figures of the page: scored on the spot, or drawn from the recorded run."""

ARTICLE = "nlp/ngram"


def figure_surprise():
    """How much each character surprises an order-3 model, in two orders of the same ones."""
    from matplotlib.figure import Figure

    from snippets.common import plot
    from snippets.common.corpora import songci

    from .arrays import ArrayMKN

    lines = ["小楼昨夜又东风", "又小昨东夜风楼"]
    model = ArrayMKN(3).fit(songci("train"))
    fig = Figure(figsize=(6.4, 4.2))
    axes = fig.subplots(2, 1, sharey=True)
    for ax, line, color in zip(axes, lines, plot.CYCLE, strict=False):
        bits = -model.logprob([line])
        ax.bar(range(len(bits)), bits, color=color, alpha=0.75, width=0.7)
        for i, x in enumerate(bits):
            ax.text(i, x + 0.12, f"{x:.1f}", ha="center", fontsize=12, color=plot.MUTED)
        ax.set_xticks(range(len(bits)), [*line, "结束"], fontsize=15)
        ax.set_ylabel("$-\\log_{10}p$")
        ax.set_title(f"合计 {bits.sum():.1f}", loc="right", color=color)
        ax.set_ylim(0, 6.4)
        ax.grid(False, axis="x")
    return fig


def figure_unseen():
    """The share of n-grams in new text that training never saw, by n."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    unseen = records.load(ARTICLE).results["unseen"]
    n = [int(key[1:]) for key in unseen]
    share = [100 * x for x in unseen.values()]
    fig = Figure(figsize=(5.6, 3.2))
    ax = fig.subplots()
    ax.plot(n, share, marker="o", color=plot.CYCLE[1])
    for x, y in zip(n, share, strict=True):
        ax.annotate(
            f"{y:.1f}%", (x, y), (0, 9), textcoords="offset points", ha="center", fontsize=13
        )
    ax.set(xticks=n, xlabel="$n$", ylabel="没见过的（%）", ylim=(0, 112), xlim=(0.7, 5.3))
    return fig


def figure_held_out():
    """What a count of r in one half of the text is worth in the other half."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    held_out = records.load(ARTICLE).results["held_out"]
    r = [int(key[1:]) for key in held_out]
    fig = Figure(figsize=(5.6, 3.6))
    ax = fig.subplots()
    ax.plot(r, r, color=plot.MUTED, lw=1.2, ls="--")
    ax.text(6.6, 7.6, "另一半也是 $r$", color=plot.MUTED, ha="right", fontsize=13)
    ax.plot(r, list(held_out.values()), marker="o", color=plot.CYCLE[0])
    for x, y in zip(r, held_out.values(), strict=True):
        ax.annotate(f"{y - x:+.2f}", (x, y), (5, -15), textcoords="offset points", fontsize=11.5)
    ax.set(xticks=r, xlabel="这一半里的次数 $r$", ylabel="另一半里的平均次数")
    ax.set(xlim=(0.5, 10), ylim=(-0.8, 9.5))
    return fig


def figure_perplexity():
    """Perplexity on the test part, by order and smoothing."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    results = records.load(ARTICLE).results["ppl"]
    shown = {
        "laplace": ("加一", 1.0),
        "lidstone": ("Lidstone", 1.0),
        "witten_bell": ("Witten–Bell", 1.12),
        "absolute": ("绝对折扣", 1.0),
        "modified": ("改进 Kneser–Ney", 0.88),
    }
    fig = Figure(figsize=(6.0, 4.4))
    ax = fig.subplots()
    for color, (name, (label, shift)) in zip(plot.CYCLE, shown.items(), strict=False):
        n = [int(key[1:]) for key in results[name]]
        ppl = list(results[name].values())
        ax.plot(n, ppl, marker="o", color=color)
        ax.text(5.12, ppl[-1] * shift, label, color=color, va="center", fontsize=13)
    ax.set_yscale("log")
    ticks = [150, 200, 300, 500, 1000, 2000]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set(xticks=range(1, 6), xlim=(0.8, 7.4), ylim=(112, 3200))
    ax.set(xlabel="$n$", ylabel="困惑度")
    return fig
