"""The protocol against a grid, alignment against scikit-image, the networks against OpenCV."""

import cv2
import numpy as np
import torch
from skimage.transform import SimilarityTransform

from snippets.cv.face_recognition import (
    ARCFACE_TEMPLATE,
    SFACE,
    YUNET,
    detect,
    embed,
    kfold_accuracy,
    model_file,
    pairs,
    similarity_complex,
    similarity_transform,
)


def grid_accuracy(scores, labels, folds=10):
    """The protocol as it is usually copied: every fold tries 400 distances one by one."""
    thresholds = np.arange(0, 4, 0.01)
    distance, same = 2 - 2 * scores, labels.astype(bool)
    right = []
    for part in np.array_split(np.arange(len(scores)), folds):
        rest = np.delete(np.arange(len(scores)), part)
        tried = []
        for t in thresholds:
            guess = distance[rest] < t
            tp = np.sum(np.logical_and(guess, same[rest]))
            tn = np.sum(np.logical_and(np.logical_not(guess), np.logical_not(same[rest])))
            tried.append((tp + tn) / len(rest))
        best = thresholds[np.argmax(tried)]
        right.append(np.mean((distance[part] < best) == same[part]))
    return np.mean(right)


def cases():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    labels = np.tile([1, 0], 3000)
    scores = rng.normal(0.1 + 0.4 * labels, 0.15).clip(-1, 1)
    yield (
        "kfold_accuracy of 6,000 pairs / a grid of 400 thresholds",
        lambda: kfold_accuracy(scores, labels),
        lambda: grid_accuracy(scores, labels),
        1 / 30,
    )
    src = rng.normal(0, 50, (5, 2))

    def theirs():
        SimilarityTransform.from_estimate(src, ARCFACE_TEMPLATE)

    yield (
        "similarity_transform / scikit-image",
        lambda: similarity_transform(src, ARCFACE_TEMPLATE),
        theirs,
        1.0,
    )
    yield (
        "similarity_complex / scikit-image",
        lambda: similarity_complex(src, ARCFACE_TEMPLATE),
        theirs,
        1 / 3,
    )
    crop = rng.integers(0, 256, (112, 112, 3), dtype=np.uint8)
    recogniser = cv2.FaceRecognizerSF.create(str(model_file(SFACE)), "")
    yield (
        "SFace of one face / OpenCV",
        lambda: embed([crop]),
        lambda: recogniser.feature(crop),
        1.2,
    )
    photo = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    detector = cv2.FaceDetectorYN.create(str(model_file(YUNET)), "", (640, 480))
    yield (
        "YuNet on 640 x 480 / OpenCV",
        lambda: detect(photo),
        lambda: detector.detect(photo),
        3.0,
    )
    emb, ids = rng.normal(size=(200, 128)), rng.integers(0, 20, 200)

    def loop():
        return [
            (emb[i] @ emb[j] / np.linalg.norm(emb[i]) / np.linalg.norm(emb[j]), ids[i] == ids[j])
            for i in range(200)
            for j in range(i + 1, 200)
        ]

    yield "cosine of 19,900 pairs by one product / loop", lambda: pairs(emb, ids), loop, 1 / 100
