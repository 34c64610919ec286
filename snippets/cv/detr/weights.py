"""Read the weights of another implementation: transformers' DETR, keys of version 5."""

import re

from torch import Tensor

from .model import DETR

_RULES = (
    (r"model\.backbone\.model\.embedder\.embedder", "backbone.stem"),
    (r"model\.backbone\.model\.encoder\.stages\.(\d+)\.layers", r"backbone.stages.\1"),
    (r"\.layer\.(\d+)\.", r".convs.\1."),
    (r"\.convolution\.", ".0."),
    (r"\.normalization\.", ".1."),
    (r"model\.query_position_embeddings", "query_pos"),
    (r"model\.input_projection", "project"),
    (r"model\.(en|de)coder\.layers", r"\1coder"),
    (r"\.self_attn_layer_norm", ".norms.0"),
    (r"\.encoder_attn_layer_norm", ".norms.1"),
    (r"^encoder\.(\d+)\.final_layer_norm", r"encoder.\1.norms.1"),
    (r"^decoder\.(\d+)\.final_layer_norm", r"decoder.\1.norms.2"),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.([qkvo])_proj", r".W_\1"),
    (r"\.mlp\.fc1", ".ffn.0"),
    (r"\.mlp\.fc2", ".ffn.2"),
    (r"model\.decoder\.layernorm", "decoder_norm"),
    (r"class_labels_classifier", "classes"),
    (r"bbox_predictor\.layers\.0", "boxes.0"),
    (r"bbox_predictor\.layers\.1", "boxes.2"),
    (r"bbox_predictor\.layers\.2", "boxes.4"),
)


def load_hf_state_dict(model: DETR, state: dict[str, Tensor]) -> None:
    """Copy the weights of `transformers.DetrForObjectDetection` into ours.

    Every weight must find its place, and every place its weight.

    Raises:
        ValueError: keys or shapes do not fit.
    """
    renamed = {}
    for key, value in state.items():
        for pattern, name in _RULES:
            key = re.sub(pattern, name, key)
        renamed[key] = value
    try:
        model.load_state_dict(renamed)
    except RuntimeError as error:
        raise ValueError(
            f"the state is not that of a DETR of this shape: {error}",
        ) from error
