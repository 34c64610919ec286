"""Face recognition from a photograph to a decision: detect, align, embed, compare.

YuNet and SFace are written out in torch and take their weights from an installed package; the
alignment, the losses that train such networks, and the protocol that measures them are ours.

**Images are RGB everywhere**: numpy arrays (H, W, 3) of uint8, 0 to 255.  Only `YuNet.forward`
wants BGR, because that is how it was trained; `detect` swaps the channels for it.

Symbols:

    x_i, y_i   landmarks in the photograph and in the template, points of the plane
    s, R, t    scale, rotation and translation of a similarity; M = [sR | t], (2, 3)
    x, W_j     an embedding of d numbers, and the direction of class j
    theta_j    the angle between them; y is the right class
    s, m1..m3  scale and margins of the loss
    psi        the curve that stands for the cosine of the right class
    C, B, N    classes, batch, training photographs
    FAR, TAR   share of impostor and of genuine pairs that are accepted

Left out: training on millions of identities, other detectors and embedders, video, liveness.
"""

from .align import (
    ARCFACE_TEMPLATE,
    norm_crop,
    similarity_complex,
    similarity_transform,
    warp_affine,
)
from .eigenfaces import PCA
from .margin import (
    ArcFace,
    CosFace,
    MarginHead,
    SphereFace,
    margin_cosine,
    margin_logits,
    smallest_scale,
)
from .metric import (
    center_loss,
    contrastive_loss,
    mine,
    triplet_loss,
    update_centers,
)
from .pose import many_to_one, one_to_many, turn
from .sface import SFace, embed, embed_photo, fold, main_face
from .verify import (
    best_threshold,
    eer,
    kfold_accuracy,
    pairs,
    rank_k,
    roc,
    tar_at_far,
)
from .weights import (
    SFACE,
    YUNET,
    load_block_quantized,
    model_file,
    package_file,
    read_initializers,
)
from .yunet import YuNet, decode, detect, nms

__all__ = [
    "ARCFACE_TEMPLATE",
    "PCA",
    "SFACE",
    "YUNET",
    "ArcFace",
    "CosFace",
    "MarginHead",
    "SFace",
    "SphereFace",
    "YuNet",
    "best_threshold",
    "center_loss",
    "contrastive_loss",
    "decode",
    "detect",
    "eer",
    "embed",
    "embed_photo",
    "fold",
    "kfold_accuracy",
    "load_block_quantized",
    "main_face",
    "many_to_one",
    "margin_cosine",
    "margin_logits",
    "mine",
    "model_file",
    "nms",
    "norm_crop",
    "one_to_many",
    "package_file",
    "pairs",
    "rank_k",
    "read_initializers",
    "roc",
    "similarity_complex",
    "similarity_transform",
    "smallest_scale",
    "tar_at_far",
    "triplet_loss",
    "turn",
    "update_centers",
    "warp_affine",
]
