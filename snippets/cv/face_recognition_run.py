"""Real photographs, degraded and misaligned; eigenfaces; losses on digits, seen and unseen.

Photographs: astronaut.png of scikit-image (NASA) and grace_hopper.jpg of matplotlib (US Navy), both
public domain; 100 faces of LFW, 25 x 25 grey pixels, without names, of scikit-image; portraits of
US officials in the source distribution of face_recognition 1.3.0, which is fetched by

    pip download --no-deps --no-binary :all: -d _build face_recognition==1.3.0

and of which the record keeps only numbers.
"""

import tarfile
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from snippets.common.data import small_digits, split
from snippets.common.imports import ROOT
from snippets.cv.face_recognition import (
    ARCFACE_TEMPLATE,
    PCA,
    ArcFace,
    CosFace,
    MarginHead,
    center_loss,
    contrastive_loss,
    detect,
    eer,
    embed,
    main_face,
    many_to_one,
    norm_crop,
    one_to_many,
    package_file,
    pairs,
    rank_k,
    roc,
    similarity_transform,
    tar_at_far,
    triplet_loss,
    turn,
    update_centers,
    warp_affine,
)

INPUTS = {
    "portraits": "_build/face_recognition-1.3.0.tar.gz",
    "angles": [0, 10, 20, 30, 40, 50, 60],
    "faces": 100,
    "components": 40,
    "shots": 8,
    "digits": {
        "train": 1000,
        "seen": 7,
        "steps": 500,
        "scale": 16.0,
        "seeds": [0, 1, 2],
    },
    "losses": [
        *("softmax", "norm", "sphere", "cos", "arc"),
        *("contrastive", "triplet", "center"),
    ],
    "classes": [2, 3, 5, 7],
    "plane": ["softmax", "cos", "arc"],
}
CHEAP: dict[str, Any] = {
    **{"portraits": None, "angles": [0, 10, 20], "shots": 0},
    **{"losses": [], "classes": [], "plane": []},
}
TOLERANCE = 1e-2
DIGESTS = {
    "data/astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "data/lfw_subset.npy": "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c",
    "mpl-data/sample_data/grace_hopper.jpg": (
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130"
    ),
}
PORTRAITS = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
Image = Any


def decode_image(data: bytes) -> Image:
    """Return a picture file as uint8 RGB."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return bgr[:, :, ::-1].copy()


def photo(package: str, name: str) -> Image:
    """Return a photograph of an installed package as uint8 RGB."""
    return decode_image(package_file(package, name, DIGESTS[name]).read_bytes())


def portraits(name: str) -> dict[str, Image]:
    """Return the portraits in the archive, the name being that of a file below the root.

    Raises: FileNotFoundError where it is missing; ValueError where it is another.
    """
    path = ROOT / Path(name)
    if not path.is_file():
        how = "pip download --no-deps --no-binary :all: -d _build face_recognition==1.3.0"
        raise FileNotFoundError(f"{name} is missing; fetch it by: {how}")
    if sha256(path.read_bytes()).hexdigest() != PORTRAITS:
        raise ValueError(f"{name} must have SHA-256 {PORTRAITS}")
    found = {}
    with tarfile.open(path) as archive:
        for who in ("obama", "obama2", "obama3", "biden"):
            member = archive.extractfile(f"face_recognition-1.3.0/tests/test_images/{who}.jpg")
            assert member is not None
            found[who] = decode_image(member.read())
    return found


def jpeg(img: Image, quality: int = 85) -> str:
    """Return uint8 RGB as JPEG in base64."""
    _, data = cv2.imencode(".jpg", img[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return b64encode(data.tobytes()).decode()


def aligned(img: Image) -> Image:
    """Return the largest face of uint8 RGB upright, 112 x 112, uint8 RGB."""
    return norm_crop(img, main_face(img)[4:14].reshape(5, 2))


def cut(img: Image, way: str) -> Image:
    """Return 112 x 112 pixels of uint8 RGB, cut in one of the ways people cut."""
    row = main_face(img)
    x, y, w, h = row[:4]
    if way == "aligned":
        return aligned(img)
    if way == "shifted":  # the template of a picture 8 pixels narrower on either side
        landmarks = row[4:14].reshape(5, 2)
        moved = ARCFACE_TEMPLATE - [8, 0]
        return warp_affine(img, similarity_transform(landmarks, moved), (112, 112))
    if way == "photo":
        x, y, w, h = 0, 0, img.shape[1], img.shape[0]
    elif way == "square":
        side = max(w, h)
        x, y, w, h = x + (w - side) / 2, y + (h - side) / 2, side, side
    elif way != "box":
        raise ValueError(f"unknown way {way!r}")
    M = np.array([[112 / w, 0, -x * 112 / w], [0, 112 / h, -y * 112 / h]])
    smooth = cv2.GaussianBlur(img, (0, 0), max(w, h) / 336)  # as resizing would
    return warp_affine(smooth, M, (112, 112))


WAYS = ["aligned", "shifted", "square", "box", "photo"]


def similarities(photos: dict[str, Image], way: str) -> dict[str, float]:
    """Return the cosine of each two photographs (uint8 RGB)."""
    names = list(photos)
    vectors = embed([cut(photos[name], way) for name in names]).astype(float)
    return {
        f"{a}_{b}": round(float(vectors[i] @ vectors[j]), 4)
        for (i, a), (j, b) in combinations(enumerate(names), 2)
    }


def spin(img: Image, degrees: float) -> Image:
    """Turn a photograph (uint8 RGB) about the middle of its face."""
    x, y, w, h = main_face(img)[:4]
    M = cv2.getRotationMatrix2D((x + w / 2, y + h / 2), degrees, 1.0)
    return warp_affine(img, M, (img.shape[1], img.shape[0]))


def rotation(img: Image, angles: list[int]) -> dict[str, list[float | None]]:
    """Turn a photograph (uint8 RGB); return its cosine with itself, aligned and as a box."""
    found: dict[str, list[float | None]] = {"aligned": [], "box": []}
    for way, values in found.items():
        own = embed([cut(img, way)])[0]
        for angle in angles:
            turned = spin(img, float(angle))
            seen = len(detect(turned)) > 0
            cosine = float(own @ embed([cut(turned, way)])[0]) if seen else None
            values.append(cosine if cosine is None else round(cosine, 4))
    return found


def degraded(img: Image) -> dict[str, Any]:
    """Spoil the aligned face of uint8 RGB in one way each; return its cosine with itself."""
    crop = aligned(img)
    own = embed([crop])[0].astype(float)
    landmarks = main_face(img)[4:14].reshape(5, 2)
    grey = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    spoiled = {
        "swapped": crop[:, :, ::-1].copy(),
        "grey": grey,
        "mirror": crop[:, ::-1].copy(),
    }
    found: dict[str, Any] = {
        name: round(float(own @ embed([one])[0]), 4) for name, one in spoiled.items()
    }
    found["size"], found["noise"] = {}, {}
    for size in (56, 28, 16, 10):
        small = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, (112, 112), interpolation=cv2.INTER_LINEAR)
        found["size"][f"s{size}"] = round(float(own @ embed([back])[0]), 4)
    scale = np.linalg.norm(similarity_transform(landmarks, ARCFACE_TEMPLATE)[0, :2])
    rng = np.random.default_rng(0)
    for sigma in (1, 2, 4, 8):
        noise = rng.normal(0, sigma / scale, (8, 5, 2))
        crops = [norm_crop(img, landmarks + one) for one in noise]
        found["noise"][f"n{sigma}"] = round(float((embed(crops) @ own).mean()), 4)
    return found


def from_grey(face: np.ndarray) -> Image:
    """Return a grey face of 0 to 1 as uint8 RGB."""
    return np.repeat(np.rint(face.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def perturb(face: Image, rng: np.random.Generator) -> Image:
    """Turn, scale, shift, light and roughen a small face (uint8 RGB) a little."""
    angle, scale = np.radians(rng.uniform(-10, 10)), rng.uniform(0.9, 1.1)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turned = np.array([[c, -s], [s, c]])
    middle = (len(face) - 1) / 2
    shift = middle - turned @ [middle, middle] + rng.uniform(-1, 1, 2)
    moved = warp_affine(face, np.column_stack([turned, shift]), (len(face), len(face)))
    noisy = moved * rng.uniform(0.7, 1.3) + rng.normal(0, 5, moved.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def judge(gallery: np.ndarray, probes: np.ndarray) -> dict[str, Any]:
    """Compare every probe with every gallery vector; row i of both is one person."""
    gallery, probes = (
        each / np.linalg.norm(each, axis=1, keepdims=True) for each in (gallery, probes)
    )
    cosine, who = probes @ gallery.T, np.arange(len(probes))
    labels = np.eye(len(who), dtype=int)
    scores = cosine.ravel(), labels.ravel()
    far, tar, _ = roc(*scores)
    corner = np.flatnonzero((np.diff(far, append=2) > 0) & (np.diff(tar, prepend=-1) > 0))
    return {
        "rank1": round(rank_k(cosine, who, who), 4),
        "eer": round(eer(*scores), 4),
        "tar1": round(tar_at_far(*scores, 0.01), 4),
        "genuine": round(float(cosine[labels == 1].mean()), 4),
        "impostor": round(float(cosine[labels == 0].mean()), 4),
        "curve": [[round(float(far[i]), 4), round(float(tar[i]), 4)] for i in corner],
    }


def small_faces(count: int, components: int, shots: int) -> dict[str, Any]:
    """Recognise 25 x 25 pixels by eigenfaces and by SFace; pool views and probes."""
    name = "data/lfw_subset.npy"
    grey = np.load(package_file("skimage", name, DIGESTS[name]))[:count]
    faces = [from_grey(face) for face in grey]
    rng = np.random.default_rng(0)
    moved = [perturb(face, rng) for face in faces]
    frame = np.array([[6, 0, 30], [0, 6, 30.0]])  # six times as large, with a margin
    found = [detect(warp_affine(face, frame, (210, 210)), score=0.5) for face in faces]
    points = [(rows[0][4:14].reshape(5, 2) - 30) / 6 for rows in found if len(rows)]
    M = similarity_transform(np.mean(points, axis=0), ARCFACE_TEMPLATE)

    def flat(images: list[Image]) -> np.ndarray:
        return np.stack([img[..., 0].ravel() / 255 for img in images])

    def upright(images: list[Image]) -> list[Image]:
        return [warp_affine(img, M, (112, 112)) for img in images]

    half = count // 2
    train, gallery, probes = (
        flat(faces[:half]),
        flat(faces[half:]),
        flat(moved[half:]),
    )
    rows = {"pixels": judge(gallery, probes)}
    for name, whiten in (("pca", False), ("whitened", True)):
        pca = PCA(components, whiten).fit(train)
        rows[name] = judge(pca.transform(gallery), pca.transform(probes))
    crops = upright(faces[half:])
    vectors = embed(crops)
    rows["sface"] = judge(vectors, embed(upright(moved[half:])))
    everyone = embed(upright(faces)).astype(float)
    cosine = (everyone @ everyone.T)[np.triu_indices(count, 1)]
    pca = PCA(7).fit(train)
    shown = np.concatenate([pca.mean[None], pca.components])
    shown = (shown - shown.min(1, keepdims=True)) / np.ptp(shown, axis=1, keepdims=True)
    energy = PCA(half - 1).fit(train).variance
    return {
        "detected": len(points),
        "rows": rows,
        "impostors": {
            "pairs": len(cosine),
            "mean": round(float(cosine.mean()), 4),
            "max": round(float(cosine.max()), 4),
            "above": int((cosine >= 0.363).sum()),
        },
        "eigenfaces": b64encode(np.rint(shown * 255).astype(np.uint8).tobytes()).decode(),
        "energy": {f"k{k}": round(float(energy[:k].sum() / energy.sum()), 4) for k in (7, 20, 40)},
        "pose": pooling(crops, shots, rng) if shots else {},
    }


def pooling(crops: list[Image], shots: int, rng: np.random.Generator) -> dict[str, Any]:
    """Turn and roughen crops (uint8 RGB); add views to the gallery, or pool several probes."""
    plain = embed(crops)
    rich = np.stack([many_to_one(embed(one_to_many(crop))) for crop in crops])

    def shot(crop: Image) -> Image:
        noisy = turn(crop, rng.uniform(-45, 45)) + rng.normal(0, 5, crop.shape)
        return noisy.clip(0, 255).astype(np.uint8)

    rough = np.stack([embed([shot(crop) for _ in range(shots)]) for crop in crops])
    pooled = np.stack([many_to_one(one) for one in rough])
    sides = {"plain": plain, "rich": rich}
    probes = {"single": rough[:, 0], "pooled": pooled}
    found = {f"{a}_{b}": judge(sides[a], probes[b]) for a in sides for b in probes}
    for one in found.values():
        del one["curve"]
    return found


def network(d: int) -> nn.Sequential:
    """Return a small convolutional network: 8 x 8 pixels to d numbers."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.PReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.PReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(512, d)),
    )


def head_of(name: str, d: int, C: int, s: float) -> nn.Module:
    """Return what turns embeddings into a loss by classes; plain softmax has a bias."""
    heads: dict[str, Callable[[], nn.Module]] = {
        "norm": lambda: MarginHead(d, C, s),
        "sphere": lambda: MarginHead(d, C, s, m1=1.35),
        "cos": lambda: CosFace(d, C, s=s),
        "arc": lambda: ArcFace(d, C, s=s),
    }
    return heads.get(name, lambda: nn.Linear(d, C))()


def loss_of(name: str, head: nn.Module, x: Tensor, y: Tensor, centers: Tensor) -> Tensor:
    """Return the loss of that name for embeddings x (B, d) of classes y (B,)."""
    if name == "triplet":
        return triplet_loss(normalize(x), y)
    if name == "contrastive":
        half = len(x) // 2
        a, b = normalize(x).split(half)
        return contrastive_loss(a, b, y[:half] == y[half:])
    if isinstance(head, MarginHead):
        return head(x, y)
    loss = cross_entropy(head(x), y)
    if name == "center":
        loss = loss + 0.1 * center_loss(x, y, centers)
        update_centers(centers, x.detach(), y)
    return loss


def train(
    name: str,
    x: Tensor,
    y: Tensor,
    steps: int,
    seed: int,
    s: float = 16.0,
    d: int = 16,
) -> tuple[nn.Module, nn.Module]:
    """Fit network and head to digits x (n, 1, 8, 8) of classes y, 128 at a time."""
    torch.manual_seed(seed)
    classes = int(y.max()) + 1
    net, head, centers = (
        network(d),
        head_of(name, d, classes, s),
        torch.zeros(classes, d),
    )
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], 1e-3)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(x), (128,), generator=generator)
        optimizer.zero_grad()
        loss_of(name, head, net(x[rows]), y[rows], centers).backward()
        optimizer.step()
    return net.eval(), head.eval()


def digit_sets(size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return training and test digits with their classes."""
    pixels, labels = small_digits()
    x, y = torch.tensor(pixels).reshape(-1, 1, 8, 8) / 16, torch.tensor(labels)
    first, rest = split(len(x), size, len(x) - size)
    return x[first], y[first], x[rest], y[rest]


def geometry(name: str, seen: int, seed: int, inputs: dict[str, Any]) -> dict[str, float]:
    """Train on the classes below seen; measure those, and 7, 8, 9 which are never seen."""
    x, y, test_x, test_y = digit_sets(inputs["train"])
    known = y < seen
    net, head = train(name, x[known], y[known], inputs["steps"], seed, inputs["scale"])
    with torch.no_grad():
        raw = net(test_x)
        emb, ids = normalize(raw).numpy(), test_y.numpy()
        old, new = ids < seen, ids >= 7
        middle = np.stack([many_to_one(emb[ids == k]) for k in range(seen)])
        spread = np.degrees(np.arccos((emb[old] * middle[ids[old]]).sum(1).clip(-1, 1)))
        apart = np.degrees(np.arccos((middle @ middle.T)[np.triu_indices(seen, 1)]))
        found = {
            "seen": eer(*pairs(emb[old], ids[old])),
            "unseen": eer(*pairs(emb[new], ids[new])),
            "within": float(spread.mean()),
            "between": float(apart.min()),
        }
        if name not in ("contrastive", "triplet"):
            logits = head.cosine(raw) if isinstance(head, MarginHead) else head(raw)
            found["right"] = (logits[old].argmax(1) == test_y[old]).float().mean().item()
    return {key: round(value, 4) for key, value in found.items()}


def plane(names: list[str], inputs: dict[str, Any]) -> dict[str, Any]:
    """Train embeddings of two numbers; return those of the test digits seen, and their spread."""
    x, y, test_x, test_y = digit_sets(inputs["train"])
    seen = inputs["seen"]
    found = {}
    for name in names:
        known, old = y < seen, test_y < seen
        net, _ = train(name, x[known], y[known], 2 * inputs["steps"], 0, inputs["scale"], 2)
        with torch.no_grad():
            points = net(test_x[old]).numpy()
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        ids = test_y[old].numpy()
        middle = np.stack([many_to_one(unit[ids == k]) for k in range(seen)])
        angles = np.degrees(np.arccos((unit * middle[ids]).sum(1).clip(-1, 1)))
        thin = slice(None, None, 2)
        found[name] = {
            "within": round(float(angles.mean()), 2),
            "points": np.round(points[thin], 2).tolist(),
            "classes": ids[thin].tolist(),
        }
    return found


def run(**inputs: Any) -> dict[str, Any]:
    """Measure everything."""
    torch.set_num_threads(1)
    photos = {
        "astronaut": photo("skimage", "data/astronaut.png"),
        "hopper": photo("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    }
    found: dict[str, Any] = {
        "photos": {},
        "small": {},
        "digits": {},
        "classes": {},
    }
    for name, img in photos.items():
        crop = aligned(img)
        found["photos"][name] = {
            "row": np.round(main_face(img), 2).tolist(),
            "crop": jpeg(crop, 90),
            "embedding": np.round(embed([crop])[0].astype(float), 3).tolist(),
            "rotation": rotation(img, inputs["angles"]),
            "degraded": degraded(img),
        }
    small = cv2.resize(photos["astronaut"], (256, 256), interpolation=cv2.INTER_AREA)
    found["photos"]["astronaut"]["photo"] = jpeg(small)
    views = one_to_many(aligned(photos["hopper"]), (-40.0, -20.0, 20.0, 40.0))[:5]
    found["photos"]["hopper"]["views"] = jpeg(np.concatenate(views, axis=1))
    found["pair"] = {way: similarities(photos, way)["astronaut_hopper"] for way in WAYS}
    found["small"] = small_faces(inputs["faces"], inputs["components"], inputs["shots"])
    if inputs["portraits"] is not None:
        officials = portraits(inputs["portraits"])
        everyone = officials | photos
        found["cuts"] = {way: similarities(everyone, way) for way in WAYS}
        found["cuts_summary"] = {way: summary(found["cuts"][way]) for way in WAYS}
        found["obama"] = {
            "rotation": rotation(officials["obama"], inputs["angles"]),
            "degraded": degraded(officials["obama"]),
        }
    digits = inputs["digits"]
    for name in inputs["losses"]:
        each = [geometry(name, digits["seen"], seed, digits) for seed in digits["seeds"]]
        found["digits"][name] = spread_over(each)
    for count in inputs["classes"]:
        each = [geometry("arc", count, seed, digits) for seed in digits["seeds"]]
        found["classes"][f"c{count}"] = spread_over(each)
    found["plane"] = plane(inputs["plane"], digits)
    return found


def summary(cosines: dict[str, float]) -> dict[str, float]:
    """Return least genuine and largest impostor cosine, and the mean of either kind."""
    genuine = [v for pair, v in cosines.items() if pair.count("obama") == 2]
    impostor = [v for pair, v in cosines.items() if pair.count("obama") < 2]
    return {
        "pairs": len(genuine),
        "impostors": len(impostor),
        "least": min(genuine),
        "largest": max(impostor),
        "genuine": round(float(np.mean(genuine)), 4),
        "impostor": round(float(np.mean(impostor)), 4),
    }


def spread_over(each: list[dict[str, float]]) -> dict[str, Any]:
    """Return mean, least and largest value over the seeds."""
    return {
        key: {
            "mean": round(float(np.mean([one[key] for one in each])), 4),
            "least": min(one[key] for one in each),
            "largest": max(one[key] for one in each),
        }
        for key in each[0]
    }
