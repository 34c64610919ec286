"""The figures of the page, computed while it is built."""

from math import exp

import torch

from snippets.generative.gaussian_mixture import three_islands

from .brownian import brownian_increments, euler_maruyama, ou_errors
from .ddpm import ddpm_final_variance, schedule_of
from .linear import VPSDE
from .reverse import exact_score, reverse_drift

FIGURE_SEVEN = "0078dgf1 00774bc0 00008d10 0488ff60 02bff400 000g5000 009f1000 00d50000"


def figure_seven():
    """Return the handwritten 7 of the page, 8 x 8, with mean 0 and variance 1.

    The pixels of scikit-learn's digit of index 7, 0 to 16 (g), here because pages are built
    without scikit-learn.
    """
    rows = [[int(pixel, 17) for pixel in row] for row in FIGURE_SEVEN.split()]
    pixels = torch.tensor(rows, dtype=torch.float64)
    return (pixels - pixels.mean()) / pixels.std()


def figure_digit():
    """One digit, torn down in 10, 100 and 1000 steps, looked at after the same share of them."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    sde, digit, shares = VPSDE(), figure_seven(), (0.0, 0.1, 0.2, 0.4, 1.0)
    colors = plot.sequential_colors(7)
    fig = Figure(figsize=(5.2, 3.9))
    axes = fig.subplots(3, len(shares))
    for row, T in zip(axes, (10, 100, 1000), strict=True):
        generator = torch.Generator().manual_seed(T)
        betas = sde.discretize(T, exact=True)
        x, done = digit, 0
        for ax, share in zip(row, shares, strict=True):
            while done < share * T:
                z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
                x = (1 - betas[done]).sqrt() * x + betas[done].sqrt() * z
                done += 1
            level = ((x + 2) / 4 * len(colors)).long().clamp(0, len(colors) - 1) + 1
            plot.picture(ax, level.tolist(), colors)
            ax.set_title(f"{done} 步" if share else f"T = {T}", fontsize=11.5)
    return fig


def figure_brownian():
    """One Brownian path, seen with 8, 64 and 1024 steps, and what the exponent of the step does."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    dW = brownian_increments(1024, (), 1.0, torch.Generator().manual_seed(5))
    fig = Figure(figsize=(5.0, 5.4))
    left, right = fig.subplots(2, 1)
    styles = {1024: (plot.CYCLE[0], 0.8), 64: (plot.CYCLE[2], 1.4), 8: (plot.CYCLE[1], 2.0)}
    for n, (color, width) in styles.items():
        path = torch.cat([torch.zeros(1), dW.view(n, -1).sum(1).cumsum(0)])
        times = torch.linspace(0, 1, n + 1)
        left.plot(times.tolist(), path.tolist(), color=color, lw=width, label=f"{n} 步")
    left.set_title("同一条路，三种步长")
    left.set_xlabel("$t$")
    left.legend()
    steps = [10**k for k in range(1, 7)]
    marks = {0.4: ("o", 1), 0.5: ("s", 0), 0.6: ("^", 2), 1.0: ("v", 3)}
    for p, (marker, i) in marks.items():
        total = [n ** (1 - 2 * p) for n in steps]
        label = f"$p={p:g}$"
        right.loglog(steps, total, marker=marker, color=plot.CYCLE[i], label=label)
    right.set(xlabel="步数 $N$", ylim=(1e-7, 1e3))
    right.set_title(r"总方差 $N\,\Delta t^{2p}$")
    right.legend(ncols=2, fontsize=10)
    return fig


def figure_orders():
    """Euler-Maruyama's errors on OU, and on an equation whose noise depends on x."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    steps = [8, 16, 32, 64, 128, 256]
    dW = brownian_increments(256, (4000,), 1.0, torch.Generator().manual_seed(0))
    one = torch.ones(4000, dtype=torch.float64)
    rough = []
    for n in steps:
        ts = torch.linspace(0, 1, n + 1, dtype=torch.float64)
        coarse = dW.view(n, -1, 4000).sum(1)
        x = euler_maruyama(lambda x, t: 0.5 * x, lambda x, t: x, one, ts, coarse)
        rough.append(((x - dW.sum(0).exp()) ** 2).mean().sqrt().item())
    errors = list(zip(*(ou_errors(n, 1.5, 0.8, 2.0) for n in steps), strict=True))
    fig = Figure(figsize=(5.0, 3.6))
    ax = fig.subplots()
    lines = [
        ("强误差，$g$ 依赖 $x$", rough, "D", 3),
        ("强误差，OU", errors[0], "o", 0),
        ("均值的误差，OU", errors[1], "s", 1),
        ("方差的误差，OU", errors[2], "^", 2),
    ]
    for label, values, marker, i in lines:
        sizes = [abs(value) for value in values]
        ax.loglog(steps, sizes, marker=marker, color=plot.CYCLE[i], label=label)
    ax.set(xlabel="步数 $N$", ylim=(4e-4, 6), xlim=(7, 300))
    ax.set_xticks(steps, [str(n) for n in steps])
    ax.minorticks_off()
    ax.set_title("误差")
    ax.legend(ncols=2, fontsize=10, loc="upper center")
    return fig


def figure_cloud(x, t, label, trails=()):
    """One frame: level lines of p_t, the points, and the way that some of them have come."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    sde = VPSDE()
    law = three_islands().perturb(sde.alpha(t), sde.sigma(t))
    axis = torch.linspace(-3.4, 3.4, 69, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    density = law.log_prob(grid).exp().view(69, 69).mT
    levels = [density.max().item() * share for share in (0.05, 0.2, 0.5, 0.8)]
    fig = Figure(figsize=(4.4, 4.4), label=label)
    ax = fig.subplots()
    shades = plot.sequential_colors(8)[3:7]
    ax.contour(axis, axis, density, levels=levels, colors=shades, linewidths=1.2)
    ax.scatter(*x.mT.tolist(), s=7, color=plot.CYCLE[1], alpha=0.7, lw=0)
    for trail in trails:
        ax.plot(*trail.mT.tolist(), color=plot.CYCLE[2], lw=1.2)
        ax.scatter(*trail[-1].tolist(), s=36, color=plot.CYCLE[2], zorder=3)
    ax.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal")
    return fig


def figure_forward():
    """Tear down: 250 points of the islands walk along the forward SDE."""
    sde = VPSDE()
    generator = torch.Generator().manual_seed(0)
    ts = torch.linspace(0, 1, 201, dtype=torch.float64)
    x0 = three_islands().sample(250, generator)
    noise = lambda x, t: sde.diffusion2(t).sqrt()  # noqa: E731
    path = euler_maruyama(sde.forward_drift, noise, x0, ts, None, generator, return_path=True)
    shown = [0, 5, 10, 20, 30, 40, 50, 70, 100, 140, 200]
    return [
        figure_cloud(
            path[i],
            ts[i],
            f"t = {ts[i]:.3g}，α = {sde.alpha(ts[i]):.2g}，σ = {sde.sigma(ts[i]):.2g}",
        )
        for i in shown
    ]


def figure_reverse():
    """Build up: 250 points of noise walk back along the reverse SDE; three trails are drawn."""
    sde = VPSDE()
    generator = torch.Generator().manual_seed(1)
    ts = torch.linspace(1, 1e-3, 201, dtype=torch.float64)
    table = sde.tabulate(ts)
    x1 = torch.randn(250, 2, generator=generator, dtype=torch.float64)
    drift = reverse_drift(table, exact_score(table, three_islands()))
    noise = lambda x, t: table.diffusion2(t).sqrt()  # noqa: E731
    path = euler_maruyama(drift, noise, x1, ts, None, generator, return_path=True)
    shown = [0, 60, 100, 130, 150, 160, 170, 180, 190, 195, 200]
    return [
        figure_cloud(
            path[i],
            ts[i],
            f"t = {ts[i]:.3g}，走了 {i} 步",
            [path[max(0, i - 40) : i + 1, j] for j in range(3)],
        )
        for i in shown
    ]


def figure_joint():
    """Pairs (x_.2, x_.4) of four processes that have the same marginals."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    sde, n = VPSDE(), 400

    def v(t):
        return 4 * sde.alpha(t) ** 2 + sde.sigma(t) ** 2

    generator = torch.Generator().manual_seed(3)
    fig = Figure(figsize=(4.4, 4.6))
    axes = fig.subplots(2, 2, sharex=True, sharey=True).flat
    names = ["前向 SDE", "λ = 1", "λ = 0", "λ = 2"]
    for ax, name, lam in zip(axes, names, (None, 1.0, 0.0, 2.0), strict=True):
        start = torch.randn(n, generator=generator, dtype=torch.float64)
        if lam is None:
            ts = torch.linspace(0.2, 0.4, 201, dtype=torch.float64)
            drift, scale = sde.forward_drift, 1.0
        else:
            ts = torch.linspace(0.4, 0.2, 201, dtype=torch.float64)
            drift, scale = reverse_drift(sde, lambda x, t: -x / v(t), lam), lam
        x = v(ts[0]).sqrt() * start
        noise = lambda x, t, scale=scale: scale * sde.diffusion2(t).sqrt()  # noqa: E731
        y = euler_maruyama(drift, noise, x, ts, None, generator)
        early, late = (x, y) if lam is None else (y, x)
        ax.scatter(early.tolist(), late.tolist(), s=6, color=plot.CYCLE[0], alpha=0.6, lw=0)
        ax.set(xlim=(-6, 6), ylim=(-6, 6), aspect="equal", xticks=[-4, 0, 4], yticks=[-4, 0, 4])
        ax.set_title(name)
    return fig


def figure_variances():
    """What is left of the data's variance after T steps back with each of the three variances."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    sde, steps = VPSDE(), [10, 20, 50, 100, 200, 500, 1000]
    styles = {"optimal": ("最优", "^", 2), "large": (r"大，$\beta_i$", "s", 1)}
    styles["small"] = (r"小，$\tilde\beta_i$", "o", 0)
    fig = Figure(figsize=(5.2, 3.1))
    axes = fig.subplots(1, 2, sharey=True)
    for ax, s2, title in zip(axes, (1.0, 1e-4), ("$s^2=1$", "$s^2=10^{-4}$"), strict=True):
        for variance, (label, marker, i) in styles.items():
            ratios = [
                ddpm_final_variance(schedule_of(sde.discretize(T, exact=True)), s2, variance) / s2
                for T in steps
            ]
            ax.semilogx(steps, ratios, marker=marker, color=plot.CYCLE[i], label=label)
        ax.set(xlabel="步数 $T$", ylim=(0, 1.1))
        ax.set_title(title)
    axes[1].legend(loc="center left", fontsize=11)
    return fig


def figure_wrong():
    """The variance on the way back for N(0, 1) data, with the right factors and two wrong ones."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    sde = VPSDE()
    ts = torch.linspace(1, 0, 101, dtype=torch.float64).tolist()
    spent = [(sde.budget(1.0) - sde.budget(t)).item() for t in ts]
    lines = [
        ("漂移只减 $g^2s/2$，噪声照旧", [1 + b for b in spent], 1, "--"),
        ("逆向 SDE", [1.0 for _ in spent], 0, "-"),
        ("漂移减 $g^2s$，不加噪声", [exp(-b) for b in spent], 2, ":"),
    ]
    fig = Figure(figsize=(5.2, 3.0))
    ax = fig.subplots()
    for label, values, i, style in lines:
        ax.semilogy(ts, values, style, color=plot.CYCLE[i], lw=2, label=label)
    ax.set(xlabel="$t$，向左走回数据", ylim=(1e-9, 1e2), xlim=(0, 1))
    ax.set_title("方差")
    ax.legend(loc="lower right", fontsize=10.5)
    return fig
