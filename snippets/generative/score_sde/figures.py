"""The figures of the page: computed from mixtures, or read from the recorded run."""

ARTICLE = "generative/score-sde"
STEPS = {
    "euler": ("欧拉", 1),
    "ddim_time": ("DDIM", 1),
    "2m_lambda": ("DPM++(2M)", 1),
    "heun": ("Heun", 2),
    "dpm2_lambda": ("DPM-Solver-2", 2),
}


def _figure_line():
    """Return three components on the real line."""
    import torch

    from snippets.generative.gaussian_mixture import GaussianMixture

    weights, means, variances = [0.5, 0.3, 0.2], [-1.4, 0.9, 2.3], [0.06, 0.1, 0.03]
    columns = [torch.tensor(v, dtype=torch.float64) for v in (weights, means, variances)]
    return GaussianMixture(columns[0], columns[1][:, None], columns[2][:, None, None])


def _figure_cloud(ax, sde, mixture) -> None:
    """Shade the density p_t(x) over t and x."""
    import torch

    from snippets.common import plot

    ts = torch.linspace(0.003, 1, 60, dtype=torch.float64)
    xs = torch.linspace(-3.4, 3.4, 120, dtype=torch.float64)
    rows = [mixture.perturb(sde.alpha(t), sde.sigma(t)).log_prob(xs[:, None]).exp() for t in ts]
    levels = [0.02, 0.06, 0.12, 0.2, 0.3, 0.45, 9]
    colors = plot.sequential_colors(9)[: len(levels) - 1]
    ax.contourf(ts, xs, torch.stack(rows, 1), levels=levels, colors=colors)
    ax.set(xlim=(1, 0), ylim=(-3.4, 3.4), xlabel="$t$")
    ax.grid(visible=False)


def figure_paths():
    """The same starts carried back by the reverse SDE and by the flow, frame by frame."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot
    from snippets.generative.diffusion_as_sde import VPSDE, exact_score

    from .flow import reverse_sde_sample

    sde, mixture, n, steps = VPSDE(), _figure_line(), 9, 300
    score = exact_score(sde, mixture)
    places = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    start = torch.distributions.Normal(0, 1).icdf(places)[:, None]
    ts = torch.linspace(1, 0.001, steps + 1)
    paths = {}
    for name, lam in (("逆向 SDE", 1.0), ("概率流 ODE", 0.0)):
        paths[name] = reverse_sde_sample(
            sde,
            score,
            start.shape,
            steps,
            lam=lam,
            start=start,
            generator=torch.Generator().manual_seed(1),
            return_path=True,
            denoise=False,
        )[:, :, 0]
    frames = []
    for end in range(30, steps + 1, 30):
        fig = Figure(figsize=(5.6, 3.2), layout="none", label=f"t = {ts[end]:.2f}")
        axes = fig.subplots(1, 2, sharey=True)
        fig.subplots_adjust(left=0.07, right=0.97, bottom=0.18, top=0.9, wspace=0.12)
        for ax, (name, path) in zip(axes, paths.items(), strict=True):
            _figure_cloud(ax, sde, mixture)
            every = slice(0, end + 1, 3)
            for i in range(n):
                color = plot.CYCLE[1] if i == 5 else plot.INK
                ax.plot(ts[every], path[every, i], color=color, lw=1.6 if i == 5 else 0.8)
                ax.plot(ts[end], path[end, i], "o", color=color, ms=4)
            ax.set_title(name)
        frames.append(fig)
    return frames


def figure_orders():
    """Error at the end against calls of the score, both on logarithmic scales."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["orders"]
    fig = Figure(figsize=(5.8, 4.2))
    ax = fig.subplots()
    styles = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
    for i, (key, (name, cost)) in enumerate(STEPS.items()):
        ns = sorted(int(n[1:]) for n in found[key])
        calls, errors = [cost * n for n in ns], [found[key][f"n{n}"] for n in ns]
        ax.loglog(calls, errors, ls=styles[i], color=plot.CYCLE[i], marker="o", ms=5, label=name)
    adaptive = list(found["rk45"].values())
    calls, errors = ([one[key] for one in adaptive] for key in ("nfe", "error"))
    ax.loglog(calls, errors, "s-", color=plot.CYCLE[5], label="RK45")
    ax.set(title="到终点的平均误差", xlabel="调用分数的次数（NFE）")
    ticks = [10, 20, 50, 100, 200, 300]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return fig


def figure_forgetting():
    """The variance that is drawn where the score is too large or too small by a factor."""
    from math import exp

    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.6, 3.4))
    ax = fig.subplots()
    deltas = [i / 100 for i in range(-10, 21)]
    ax.plot(deltas, [exp(-10.05 * d) for d in deltas], color=plot.CYCLE[1], label="概率流 ODE")
    ax.plot(
        deltas,
        [1 / (1 + 2 * d) for d in deltas],
        "--",
        color=plot.CYCLE[0],
        label="逆向 SDE",
    )
    ax.axhline(1, color=plot.MUTED, lw=1)
    ax.plot(0, 1, "o", color=plot.INK)
    ax.set(title="采得的方差（真值 1）", xlabel=r"分数的相对误差 $\delta$", ylim=(0, 2.9))
    ax.legend()
    return fig


def figure_guidance():
    """Four densities: before the measurement, after it, and what two approximations draw."""
    import torch
    from matplotlib.figure import Figure
    from torch.distributions import Normal

    from snippets.common import plot

    x = torch.linspace(-2.5, 3.2, 200)
    fig = Figure(figsize=(5.6, 3.4))
    ax = fig.subplots()
    laws = {
        "先验": (0, 1, "-", plot.MUTED),
        "真后验": (1.2, 0.2, "-", plot.CYCLE[0]),
        "代入 $x_t$": (4 / 3, 1 / 9, "--", plot.CYCLE[1]),
        "DPS": (1.4725, 0.12496, "-.", plot.CYCLE[2]),
    }
    for name, (mean, variance, style, color) in laws.items():
        density = Normal(mean, variance**0.5).log_prob(x).exp()
        ax.plot(x, density, ls=style, color=color, label=name)
    ax.set(title="密度", xlabel="$x_0$", ylim=(0, None))
    ax.legend(loc="upper left")
    return fig


def figure_hutchinson():
    """Log-likelihoods by one and by sixteen probes against the exact ones."""
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot
    from snippets.generative.diffusion_as_sde import VPSDE, exact_score
    from snippets.generative.gaussian_mixture import three_islands

    from .likelihood import exact_divergence, log_likelihood

    sde, mixture = VPSDE(), three_islands()
    score = exact_score(sde, mixture)
    x = mixture.sample(80, torch.Generator().manual_seed(0))
    exact, _ = log_likelihood(sde, score, x, divergence=exact_divergence(sde, mixture))
    fig = Figure(figsize=(5.6, 3.1))
    axes = fig.subplots(1, 2, sharey=True, sharex=True)
    for ax, n_probes in zip(axes, (1, 16), strict=True):
        guess, _ = log_likelihood(
            sde, score, x, divergence="hutchinson", n_probes=n_probes, rtol=1e-4
        )
        ax.plot([-7, -0.5], [-7, -0.5], color=plot.MUTED, lw=1)
        ax.plot(exact, guess, "o", ms=4, color=plot.CYCLE[0], alpha=0.8)
        ax.set(title=f"{n_probes} 个探针", xlabel="精确的对数似然")
    return fig


def figure_moons():
    """Real points, and those that two networks drew."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["moons"]
    panels = {
        "测试集": found["test"],
        "裸的 ε 网络": found["bare"]["rk45"],
        "EDM": found["edm"]["heun20"],
    }
    fig = Figure(figsize=(5.8, 1.8))
    for ax, (title, one) in zip(fig.subplots(1, 3), panels.items(), strict=True):
        points = [[int(v) / 100 for v in row.split()] for row in one["drawn"]]
        xs, ys = zip(*points, strict=True)
        ax.plot(xs, ys, "o", ms=2.5, color=plot.CYCLE[0], alpha=0.7)
        ax.set(title=title, xlim=(-1.6, 2.6), ylim=(-1.1, 1.6), aspect="equal")
        ax.set_xticks([])
        ax.set_yticks([])
    return fig


def figure_digits():
    """Real digits above those of the bare network and of EDM."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["digits"]
    rows = {
        "真的": found["test"],
        "裸的 ε 网络": found["bare"]["rk45"],
        "EDM": found["edm"]["heun20"],
    }
    fig = Figure(figsize=(5.8, 3.0))
    parts = fig.subfigures(3, 1)
    for part, (title, one) in zip(parts, rows.items(), strict=True):
        part.suptitle(title, fontsize=12, color=plot.INK)
        for ax, text in zip(part.subplots(1, 10), one["drawn"], strict=True):
            levels = [int(pixel, 17) for pixel in text]
            pixels = [levels[i : i + 8] for i in range(0, 64, 8)]
            plot.picture(ax, pixels, plot.sequential_colors(17)[1:])
    return fig
