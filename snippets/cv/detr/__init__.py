"""DETR: detection as the prediction of a set, from boxes to a trained detector.

Symbols:

    B, N, K  pictures of a batch, object queries, classes; ∅ is class K
    d        width of the model
    h, w     height and width of the feature map
    b        a box: (cx, cy, w, h) in [0, 1] inside the model, corners outside
    p        probabilities of the K + 1 classes, softmax of the logits
    C        cost matrix (n, m); u (n,), v (m,) its potentials
    T        temperature of the position encoding

Left out: dropout, the mask head, weights trained on photographs.
"""

from .boxes import (
    box_area,
    box_cxcywh_to_xyxy,
    box_iou,
    box_xyxy_to_cxcywh,
    generalized_box_iou,
    nms,
    paired_giou,
)
from .coco_eval import (
    COCO_THRESHOLDS,
    average_precision,
    interpolated_ap,
    match_detections,
    panoptic_quality,
)
from .criterion import SetCriterion
from .matching import (
    HungarianMatcher,
    assignment_with_potentials,
    greedy_assignment,
    linear_sum_assignment,
)
from .model import (
    DETR,
    DecoderLayer,
    EncoderLayer,
    MultiHeadAttention,
    post_process,
)
from .positions import sine_position_encoding_2d
from .resnet import FrozenBatchNorm2d, Residual, ResNet, SmallBackbone
from .shapes_data import (
    SHAPES,
    crops,
    digits_scene,
    place_boxes,
    scenes,
    shape_mask,
    shapes_scene,
)
from .training import detect, pretrain_backbone, score, small_detr, suppress, train
from .weights import load_hf_state_dict

__all__ = [
    "COCO_THRESHOLDS",
    "DETR",
    "SHAPES",
    "DecoderLayer",
    "EncoderLayer",
    "FrozenBatchNorm2d",
    "HungarianMatcher",
    "MultiHeadAttention",
    "ResNet",
    "Residual",
    "SetCriterion",
    "SmallBackbone",
    "assignment_with_potentials",
    "average_precision",
    "box_area",
    "box_cxcywh_to_xyxy",
    "box_iou",
    "box_xyxy_to_cxcywh",
    "crops",
    "detect",
    "digits_scene",
    "generalized_box_iou",
    "greedy_assignment",
    "interpolated_ap",
    "linear_sum_assignment",
    "load_hf_state_dict",
    "match_detections",
    "nms",
    "paired_giou",
    "panoptic_quality",
    "place_boxes",
    "post_process",
    "pretrain_backbone",
    "scenes",
    "score",
    "shape_mask",
    "shapes_scene",
    "sine_position_encoding_2d",
    "small_detr",
    "suppress",
    "train",
]
