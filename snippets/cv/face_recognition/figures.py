"""The figures of the page: computed, or read from the recorded run."""

ARTICLE = "cv/face-recognition"


def figure_picture(text):
    """Return the pixels of a JPEG in base64."""
    from base64 import b64decode
    from io import BytesIO

    from matplotlib.image import imread

    return imread(BytesIO(b64decode(text)), format="jpg")


def figure_pipeline():
    """A photograph with box and landmarks, the aligned face, and its 128 numbers."""
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot, records

    from .align import ARCFACE_TEMPLATE

    found = records.load(ARTICLE).results["photos"]["astronaut"]
    row = np.array(found["row"])
    fig = Figure(figsize=(6.6, 3.3))
    axes = fig.subplots(1, 3, width_ratios=(1, 0.8, 1.1))
    axes[0].imshow(figure_picture(found["photo"]), extent=(0, 512, 512, 0))
    x, y, w, h = row[:4]
    axes[0].add_patch(Rectangle((x, y), w, h, fill=False, ec=plot.CYCLE[5], lw=2))
    axes[0].scatter(*row[4:14].reshape(5, 2).T, color=plot.CYCLE[4], s=9, zorder=3)
    axes[1].imshow(figure_picture(found["crop"]), extent=(0, 112, 112, 0))
    axes[1].scatter(*ARCFACE_TEMPLATE.T, color=plot.CYCLE[4], s=30, marker="+", zorder=3)
    numbers = np.array(found["embedding"])
    axes[2].barh(range(128), numbers, 1, color=plot.CYCLE[0], lw=0)
    axes[2].invert_yaxis()
    titles = ("检测", "对齐", "128 个数")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title)
        ax.set_axis_off()
    return fig


def figure_decode():
    """A coarse grid, one place of it, and the box that the place reads out."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    fig = Figure(figsize=(5.2, 3.4))
    ax = fig.subplots()
    for i in range(9):
        ax.plot((i, i), (0, 6), color=plot.GRID, lw=1)
        if i < 7:
            ax.plot((0, 8), (i, i), color=plot.GRID, lw=1)
    ax.add_patch(Rectangle((3, 2), 1, 1, fc=plot.CYCLE[0], alpha=0.25))
    ax.add_patch(Rectangle((1.9, 0.9), 3.6, 4.2, fill=False, ec=plot.CYCLE[1], lw=2))
    ax.scatter([3], [2], color=plot.CYCLE[0], s=40, zorder=3)
    ax.scatter([3.7], [3.0], color=plot.CYCLE[1], s=40, zorder=3)
    arrow = {"arrowstyle": "->", "color": plot.INK}
    ax.annotate("", (3.65, 2.93), (3.05, 2.07), arrowprops=arrow)
    ax.text(2.9, 1.75, "$(c,r)$", ha="right", color=plot.CYCLE[0], fontsize=13)
    behind = {"fc": plot.PAPER, "ec": "none", "pad": 1}
    place = {"ha": "center", "color": plot.CYCLE[1], "fontsize": 12, "bbox": behind}
    ax.text(3.7, 3.75, "$(c+d_x,\\ r+d_y)$", **place)
    ax.text(3.7, 5.55, "$e^{d_w}$", ha="center", color=plot.CYCLE[1], fontsize=13)
    ax.text(5.65, 1.6, "$e^{d_h}$", color=plot.CYCLE[1], fontsize=13)
    ax.set(xlim=(-0.1, 8.1), ylim=(6.1, -0.1), aspect="equal")
    ax.set_axis_off()
    return fig


def figure_alignment():
    """Landmarks of a photograph on their way to the template, step by step."""
    import numpy as np
    from matplotlib.figure import Figure

    from snippets.common import plot

    from .align import ARCFACE_TEMPLATE, similarity_complex

    angle = np.radians(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bend = np.array([[3, -2], [-2, 2], [4, 1], [0, -3], [-3, 2]])
    src = (ARCFACE_TEMPLATE - 56 + bend) @ turn.T * 1.5 + [118, 62]
    M = similarity_complex(src, ARCFACE_TEMPLATE)
    a = complex(M[0, 0], M[1, 0])
    z, middle = src @ [1, 1j], ARCFACE_TEMPLATE.mean(0) @ [1, 1j]
    centered = z - z.mean()
    steps = [
        (z, "照片里的五个点"),
        (centered + middle, "平移：重心对上重心"),
        (centered * a / abs(a) + middle, "旋转：乘以 a/|a|"),
        (centered * a + middle, "缩放：乘以 |a|，剩下的是残差"),
    ]
    frames = []
    for points, label in steps:
        fig = Figure(figsize=(5.0, 3.6), layout="none", label=label)
        ax = fig.add_axes((0.02, 0.02, 0.96, 0.96))
        ring = [0, 1, 4, 3, 0]
        ax.plot(*ARCFACE_TEMPLATE[ring].T, color=plot.MUTED, lw=1, ls="--")
        ax.scatter(*ARCFACE_TEMPLATE.T, color=plot.MUTED, s=70, marker="+", lw=2)
        ax.plot(points.real[ring], points.imag[ring], color=plot.CYCLE[0], lw=1)
        ax.scatter(points.real, points.imag, color=plot.CYCLE[1], s=34, zorder=3)
        ax.plot((0, 112, 112, 0, 0), (0, 0, 112, 112, 0), color=plot.GRID, lw=1.2)
        ax.set(xlim=(-4, 186), ylim=(124, -12), aspect="equal")
        ax.set_axis_off()
        frames.append(fig)
    return frames


def figure_cuts():
    """Cosines of the same six photographs, cut in five ways."""
    import numpy as np
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["cuts"]
    names = {
        "aligned": "对齐",
        "shifted": "模板偏 8 px",
        "square": "方框",
        "box": "框，拉伸",
        "photo": "整张照片",
    }
    fig = Figure(figsize=(6.2, 3.5))
    ax = fig.subplots()
    for i, way in enumerate(names):
        for color, wanted, marker in ((1, False, "x"), (0, True, "o")):
            values = [v for k, v in found[way].items() if (k.count("obama") == 2) == wanted]
            place = i + (0.12 if wanted else -0.12) + np.zeros(len(values))
            label = ("同一个人" if wanted else "不同的人") if i == 0 else None
            ax.scatter(
                place,
                values,
                color=plot.CYCLE[color],
                marker=marker,
                s=34,
                label=label,
            )
    ax.axhline(0.363, color=plot.MUTED, lw=1, ls="--")
    ax.set(
        xticks=range(5),
        xticklabels=list(names.values()),
        xlim=(-0.5, 4.5),
        ylim=(-0.05, 1),
    )
    ax.set_title("余弦", loc="left", fontsize=12)
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper right", ncols=2)
    return fig


def figure_rotation():
    """Cosine of a face with itself, turned in the plane, aligned or cut as a box."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load(ARTICLE)
    angles, found = record.inputs["angles"], record.results["obama"]["rotation"]
    fig = Figure(figsize=(5.6, 3.2))
    ax = fig.subplots()
    for color, (way, title) in enumerate({"aligned": "对齐", "box": "只用框"}.items()):
        seen = [(a, v) for a, v in zip(angles, found[way], strict=True) if v is not None]
        ax.plot(*zip(*seen, strict=True), "o-", color=plot.CYCLE[color], label=title)
    ax.axhline(0.363, color=plot.MUTED, lw=1, ls="--")
    ax.set(xlabel="照片转过的角度（度）", xticks=angles, ylim=(-0.1, 1.05))
    ax.set_title("余弦", loc="left", fontsize=12)
    ax.legend(loc="upper right")
    return fig


def figure_views():
    """Five views of one aligned face, the outer ones invented by turning a cylinder."""
    from matplotlib.figure import Figure

    from snippets.common import records

    picture = figure_picture(records.load(ARTICLE).results["photos"]["hopper"]["views"])
    order = [1, 2, 0, 3, 4]
    titles = ["-40°", "-20°", "原图", "20°", "40°"]
    fig = Figure(figsize=(6.6, 1.75))
    for ax, i, title in zip(fig.subplots(1, 5), order, titles, strict=True):
        ax.imshow(picture[:, 112 * i : 112 * (i + 1)])
        ax.set_title(title, fontsize=12)
        ax.set_axis_off()
    return fig


def figure_eigenfaces():
    """The mean face of LFW's 25 x 25 pixels and its first seven eigenfaces."""
    from base64 import b64decode

    import numpy as np
    from matplotlib.figure import Figure

    from snippets.common import records

    text = records.load(ARTICLE).results["small"]["eigenfaces"]
    pixels = np.frombuffer(b64decode(text), np.uint8).reshape(8, 25, 25)
    fig = Figure(figsize=(6.2, 3.5))
    titles = ["平均脸", *(f"第 {i} 个" for i in range(1, 8))]
    for ax, face, title in zip(fig.subplots(2, 4).flat, pixels, titles, strict=True):
        ax.imshow(face, cmap="gray", vmin=0, vmax=255)
        ax.set_title(title, fontsize=12)
        ax.set_axis_off()
    return fig


def figure_psi():
    """Four margins over the angle, and the frozen tail of ArcFace."""
    import numpy as np
    import torch
    from matplotlib.figure import Figure

    from snippets.common import plot

    from .margin import margin_cosine

    theta = torch.linspace(0.01, np.pi - 0.01, 400).double()
    fig = Figure(figsize=(6.0, 3.8))
    ax = fig.subplots()
    curves = [
        ("softmax，$\\cos\\theta$", (1.0, 0.0, 0.0)),
        ("SphereFace，$m_1=4$", (4.0, 0.0, 0.0)),
        ("ArcFace，$m_2=0.5$", (1.0, 0.5, 0.0)),
        ("CosFace，$m_3=0.35$", (1.0, 0.0, 0.35)),
    ]
    degrees = np.degrees(theta.numpy())
    for color, (label, margins) in enumerate(curves):
        values = margin_cosine(theta.cos(), *margins).numpy()
        ax.plot(degrees, values, color=plot.CYCLE[color], label=label)
    tail = margin_cosine(theta.cos(), 1.0, 0.5, 0.0, "taylor").numpy()
    behind = theta.numpy() > np.pi - 0.5
    dotted = {"color": plot.CYCLE[6], "ls": ":", "lw": 3}
    ax.plot(degrees[behind], tail[behind], label="ArcFace 的冻结尾巴", **dotted)
    ax.set(xlim=(0, 180), xticks=range(0, 181, 30), ylim=(-4.4, 1.2))
    ax.set_xlabel("与正确类方向的夹角（度）")
    ax.set_title("$\\psi(\\theta)$", loc="left", fontsize=12)
    ax.legend(loc="lower left", fontsize=11)
    return fig


def figure_boundary():
    """Where two classes part: no margin, and the empty wedge that each margin asks for."""
    import numpy as np
    from matplotlib.figure import Figure

    from snippets.common import plot

    grid = np.linspace(0, 90, 181)
    first, second = np.meshgrid(np.radians(grid), np.radians(grid))
    kinds = {
        "softmax": np.cos,
        "SphereFace": lambda t: np.where(4 * t < np.pi, np.cos(4 * t), -np.cos(4 * t) - 2),
        "CosFace": lambda t: np.cos(t) - 0.35,
        "ArcFace": lambda t: np.cos(t + 0.5),
    }
    fig = Figure(figsize=(6.6, 2.5))
    for ax, (name, psi) in zip(fig.subplots(1, 4), kinds.items(), strict=True):
        one = psi(first) > np.cos(second)
        two = psi(second) > np.cos(first)
        for part, color in ((one, 0), (two, 1)):
            levels = [0.5, 1.5]
            ax.contourf(
                grid,
                grid,
                part.astype(float),
                levels,
                colors=[plot.CYCLE[color]],
                alpha=0.5,
            )
        ax.set(xticks=[0, 90], yticks=[0, 90], aspect="equal")
        ax.set_title(name, fontsize=11)
        ax.grid(visible=False)
    return fig


def figure_plane():
    """Digits 0 to 6 as pairs of numbers, learnt with and without a margin."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["plane"]
    titles = {"softmax": "softmax", "cos": "CosFace", "arc": "ArcFace"}
    fig = Figure(figsize=(6.6, 2.7))
    for ax, (name, title) in zip(fig.subplots(1, 3), titles.items(), strict=True):
        x, y = zip(*found[name]["points"], strict=True)
        colors = [plot.CYCLE[k] for k in found[name]["classes"]]
        ax.scatter(x, y, c=colors, s=5)
        far = 1.05 * max(map(abs, x + y))
        ax.set(
            xlim=(-far, far),
            ylim=(-far, far),
            aspect="equal",
            xticks=[],
            yticks=[],
        )
        ax.axhline(0, color=plot.GRID, lw=1, zorder=0)
        ax.axvline(0, color=plot.GRID, lw=1, zorder=0)
        ax.set_title(title, fontsize=12)
    return fig


def figure_open_set():
    """EER of pairs of seen and of unseen digits under eight losses."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["digits"]
    names = {
        "softmax": "softmax",
        "norm": "归一化 softmax",
        "sphere": "SphereFace",
        "cos": "CosFace",
        "arc": "ArcFace",
        "contrastive": "对比损失",
        "triplet": "三元组",
        "center": "中心损失",
    }
    fig = Figure(figsize=(6.0, 3.9))
    ax = fig.subplots()
    for color, (kind, title) in enumerate({"seen": "见过的数字", "unseen": "没见过的"}.items()):
        for i, name in enumerate(names):
            one = found[name][kind]
            ax.plot(
                (one["least"], one["largest"]),
                (i, i),
                color=plot.CYCLE[color],
                lw=4,
                alpha=0.4,
            )
            label = title if i == 0 else None
            ax.scatter(
                one["mean"],
                i,
                color=plot.CYCLE[color],
                s=40,
                zorder=3,
                label=label,
            )
    ax.set(yticks=range(8), yticklabels=list(names.values()), ylim=(7.6, -0.6))
    ax.set(xlim=(0, 0.4), xlabel="EER，三个种子的平均与范围")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper center", ncols=1)
    return fig


def figure_roc():
    """TAR over FAR for small faces: pixels, eigenfaces, SFace."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    found = records.load(ARTICLE).results["small"]["rows"]
    names = {
        "sface": "SFace",
        "whitened": "特征脸，白化",
        "pca": "特征脸",
        "pixels": "像素",
    }
    fig = Figure(figsize=(5.8, 3.6))
    ax = fig.subplots()
    for color, (name, title) in enumerate(names.items()):
        curve = [(max(f, 4e-4), t) for f, t in found[name]["curve"]] + [(1, 1)]
        x, y = zip(*curve, strict=True)
        ax.step(x, y, where="post", color=plot.CYCLE[color], label=title)
    ax.set_xscale("log")
    ax.set(xlim=(4e-4, 1), ylim=(0, 1.04), xlabel="FAR")
    ax.set_title("TAR", loc="left", fontsize=12)
    ax.minorticks_off()
    ax.legend(loc="lower right")
    return fig
