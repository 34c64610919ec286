"""The figures of the page: drawn from the mixture with known scores, or from the recorded run."""

ARTICLE = "generative/score-based-models"


def _figure_density(ax, mixture, half, levels=7):
    """Shade the density of a mixture over a square around 0."""
    import torch

    from snippets.common import plot

    side = torch.linspace(-half, half, 121, dtype=torch.float64)
    p = mixture.log_prob(torch.cartesian_prod(side, side)).exp().view(121, 121)
    edges = torch.linspace(0.04, 1, levels + 1) * p.max().item()
    colors = plot.sequential_colors(levels + 3)[:levels]
    ax.contourf(side, side, p.T, levels=edges.tolist(), colors=colors)
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
    ax.grid(False)


def figure_field():
    """The density of three islands and the arrows of its score."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot
    from snippets.generative.gaussian_mixture import three_islands

    mixture = three_islands()
    fig = Figure(figsize=(5.4, 5.0))
    ax = fig.subplots()
    _figure_density(ax, mixture, 3.2)
    side = torch.linspace(-3, 3, 17, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    s = mixture.score(grid)
    s = s / (1 + s.norm(dim=1, keepdim=True) / 3)  # long arrows are shortened
    ax.quiver(*grid.T, *s.T, color=plot.CYCLE[1], angles="xy", scale=38, width=0.004)
    return fig


def figure_floor():
    """Denoising losses on a standard Gaussian while networks train, and the floors they end on."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot

    from .network import NoiseConditionalScore, train_ncsn

    torch.set_num_threads(1)
    x = torch.randn(50_000, 1, generator=torch.Generator().manual_seed(0))
    fig = Figure(figsize=(5.8, 3.5))
    ax = fig.subplots()
    for color, sigma in enumerate((0.1, 0.3, 1.0)):
        net, level = NoiseConditionalScore(1, 32, 2), torch.tensor([sigma])
        losses = train_ncsn(net, x, level, 400, batch=1024, lr=3e-3)
        smooth = torch.tensor(losses).view(-1, 10).mean(1).tolist()
        label = f"$\\sigma$ = {sigma:g}"
        steps = [0, *range(5, 400, 10)]
        ax.plot(steps, [losses[0], *smooth], color=plot.CYCLE[color], label=label)
        ax.axhline(0.5 / (1 + sigma**2), color=plot.MUTED, ls="--", lw=1.2)
    ax.set(xlabel="训练步数", title="去噪损失", xlim=(0, 405), ylim=(0, 0.56))
    ax.legend(loc="lower right")
    return fig


def figure_fisher():
    """Left: Fisher divergence while four losses train.  Right: over the noise of the last."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot, records
    from snippets.generative.gaussian_mixture import three_islands

    record = records.load(ARTICLE)
    found, inputs = record.results["toys"], record.inputs
    fig = Figure(figsize=(7.0, 3.5))
    left, right = fig.subplots(1, 2)
    steps = range(inputs["every"], inputs["steps"] + 1, inputs["every"])
    names = {"explicit": "显式", "implicit": "隐式", "sliced": "切片", "0_1": "去噪，σ = 0.1"}
    for color, (name, title) in enumerate(names.items()):
        mean = torch.tensor(found["curves"][name]).mean(0)
        left.plot(steps, mean, color=plot.CYCLE[color], label=title)
    left.set_yscale("log")
    left.set(
        xlabel="训练步数", xticks=(0, 1000, 2000), xlim=(0, 2050), ylim=(0.02, 30), title="四种损失"
    )
    left.legend(loc="upper right", bbox_to_anchor=(1.02, 1.02))
    sigmas = torch.logspace(-2, 0, 60, dtype=torch.float64)[15:52]
    mixture = three_islands()
    x = mixture.sample(4000, torch.Generator().manual_seed(0))
    bias = [
        ((mixture.perturb(1, s).score(x) - mixture.score(x)) ** 2).sum(1).mean() / 2 for s in sigmas
    ]
    right.plot(sigmas, bias, color=plot.MUTED, ls="--", label="只有偏差（算出）")
    measured = [found["fisher"][str(s).replace(".", "_")] for s in inputs["noises"]]
    right.plot(inputs["noises"], measured, "o-", color=plot.CYCLE[3], label="训练出的网络")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set(xlabel="去噪用的 $\\sigma$", title="去噪：太小太大都不好")
    right.set(xticks=(0.02, 0.1, 0.5), xticklabels=("0.02", "0.1", "0.5"), ylim=(0.005, 40))
    right.minorticks_off()
    right.legend(loc="upper left")
    return fig


def figure_misses():
    """Where the network is wrong, with the outline of 95 % of the data."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot, records
    from snippets.generative.gaussian_mixture import three_islands

    found = records.load(ARTICLE).results["toys"]["misses"]
    error = torch.tensor(found["error"]).view(33, 33)
    side = torch.linspace(-4, 4, 33)
    edges = [0, 0.5, 1, 2, 4, 8, 16, 80]
    fig = Figure(figsize=(5.6, 4.6))
    ax = fig.subplots()
    colors = plot.sequential_colors(len(edges) - 1)
    ax.contourf(side, side, error.T, levels=edges, colors=colors)
    mixture = three_islands()
    log_p = mixture.log_prob(mixture.sample(20_000, torch.Generator().manual_seed(98)))
    fine = torch.linspace(-4, 4, 161, dtype=torch.float64)
    inner = mixture.log_prob(torch.cartesian_prod(fine, fine)).view(161, 161)
    level = [log_p.quantile(0.05).item()]
    ax.contour(
        fine, fine, inner.T, levels=level, colors=[plot.CYCLE[1]], linewidths=2, linestyles="solid"
    )
    for color, low, high in zip(colors, edges, edges[1:], strict=False):
        text = f"> {low}" if high == edges[-1] else f"{low}–{high}"
        ax.fill([], [], color=color, label=text)
    ax.legend(title="误差", loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.grid(False)
    return fig


def figure_weights():
    """The share of particles in the heavy mode over the steps, plain and annealed."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["weights"]
    fig = Figure(figsize=(5.8, 3.3))
    ax = fig.subplots()
    steps = range(20, 1001, 20)
    ax.plot(steps, found["annealed"], color=plot.CYCLE[2], label="退火，σ 从 20 到 1")
    ax.plot(steps, found["plain"], color=plot.CYCLE[1], label="不退火")
    ax.axhline(0.8, color=plot.MUTED, ls="--", lw=1.2)
    ax.text(20, 0.815, "真实权重 0.8", color=plot.MUTED)
    ax.set(xlabel="步数", title="重的一团里的粒子", ylim=(0.45, 0.88))
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.12))
    return fig


def figure_annealing():
    """Particles of annealed Langevin dynamics, a frame for each noise level."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot
    from snippets.generative.gaussian_mixture import three_islands

    from .langevin import geometric_sigmas, langevin_dynamics

    mixture, generator = three_islands(), torch.Generator().manual_seed(0)
    sigmas = geometric_sigmas(3, 0.1, 10)
    x = 3 * torch.randn(250, 2, generator=generator, dtype=torch.float64)
    frames = []

    def frame(law, label):
        fig = Figure(figsize=(4.6, 4.6), layout="none", label=label)
        ax = fig.add_axes((0.01, 0.01, 0.98, 0.98))
        _figure_density(ax, law, 5)
        ax.plot(*x.T, ".", ms=4, color=plot.CYCLE[1])
        ax.text(-4.8, 4.4, label.split("：")[0], fontsize=14)
        frames.append(fig)

    frame(mixture.perturb(1, 3), "起点：N(0, 3²) 里的 250 个粒子")
    for sigma in sigmas.tolist():
        noisy = mixture.perturb(1, sigma)
        x = langevin_dynamics(noisy.score, x, 0.1 * sigma**2, 50, generator)
        frame(noisy, f"σ = {sigma:.2f}：在 pσ 里走了 50 步")
    x = x + 0.1**2 * mixture.perturb(1, 0.1).score(x)
    frame(mixture, "去噪：最后一步 Tweedie，底色换成真正的 p")
    return frames


def _figure_digit(ax, text):
    """Draw one 8 x 8 digit of 17 grey levels, as in the record."""
    from snippets.common import plot

    values = [int(letter, 17) for letter in text]
    rows = [values[i : i + 8] for i in range(0, 64, 8)]
    plot.picture(ax, rows, plot.sequential_colors(17)[1:])


def figure_stages():
    """Eight digits on their way from noise: a row for every third noise level."""
    from matplotlib.figure import Figure

    from snippets.common import records

    from .langevin import geometric_sigmas

    record = records.load(ARTICLE)
    found, inputs = record.results["digits"], record.inputs
    sigmas = geometric_sigmas(inputs["sigma_1"], inputs["sigma_L"], found["L"]).tolist()
    titles = [f"σ = {sigma:.2f}" for sigma in sigmas[::3]] + ["走完", "去噪"]
    fig = Figure(figsize=(6.4, 6.6))
    axes = fig.subplots(len(titles), 8)
    for row, title, stage in zip(axes, titles, found["stages"], strict=True):
        for ax, text in zip(row, stage, strict=True):
            _figure_digit(ax, text)
        row[0].text(-1, 4, title, ha="right", va="center", fontsize=12)
    return fig


def figure_samples():
    """Forty samples, not chosen."""
    from matplotlib.figure import Figure

    from snippets.common import records

    found = records.load(ARTICLE).results["digits"]["samples"]
    fig = Figure(figsize=(6.8, 3.6))
    for ax, text in zip(fig.subplots(4, 10).flat, found, strict=True):
        _figure_digit(ax, text)
    return fig
