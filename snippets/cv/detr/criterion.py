"""The loss of a set: match, then compare each prediction with what it was given.

Left out: mask losses, focal loss (the original has none).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .boxes import box_cxcywh_to_xyxy, paired_giou
from .checks import check_outputs, check_targets
from .matching import HungarianMatcher


class SetCriterion(nn.Module):
    """Three losses for every decoder layer, Eq. (detr-loss)."""

    weight: Tensor

    def __init__(
        self,
        num_classes: int,
        matcher: HungarianMatcher,
        weight_dict: dict[str, float | int] | None = None,
        eos_coef: float | int = 0.1,
    ) -> None:
        """Keep the weights: of the losses ce, bbox, giou, and of the class ∅.

        Raises:
            ValueError: num_classes < 1, eos_coef outside (0, 1], other losses.
        """
        super().__init__()
        weights = {"ce": 1.0, "bbox": 5.0, "giou": 2.0} | (weight_dict or {})
        if num_classes < 1:
            raise ValueError(
                f"num_classes must be at least 1, got {num_classes}",
            )
        if not 0 < eos_coef <= 1:
            raise ValueError(f"eos_coef must lie in (0, 1], got {eos_coef}")
        if set(weights) != {"ce", "bbox", "giou"}:
            raise ValueError(f"losses are ce, bbox, giou, got {sorted(weights)}")
        self.num_classes, self.matcher = num_classes, matcher
        self.weights = weights
        weight = torch.ones(num_classes + 1)
        weight[-1] = eos_coef
        self.register_buffer("weight", weight)

    def layer(
        self,
        outputs: dict,
        targets: list[dict],
        num_boxes: int,
    ) -> dict[str, Tensor]:
        """Return ce, bbox and giou of one decoder layer.

        ce is a weighted mean over all queries, bbox and giou are sums over the
        matched ones divided by the number of objects.
        """
        pairs = self.matcher(outputs, targets)
        logits, boxes = outputs["pred_logits"], outputs["pred_boxes"]
        query = torch.cat([i for i, _ in pairs])
        sizes = torch.tensor([len(i) for i, _ in pairs])
        image = torch.arange(len(pairs)).repeat_interleave(sizes)
        given = list(zip(targets, pairs, strict=True))
        labels = torch.full_like(logits[..., 0], self.num_classes).long()
        labels[image, query] = torch.cat([t["labels"][j] for t, (_, j) in given])
        found = boxes[image, query]
        wanted = torch.cat([t["boxes"][j] for t, (_, j) in given])
        corners = box_cxcywh_to_xyxy(found), box_cxcywh_to_xyxy(wanted)
        return {
            "ce": F.cross_entropy(logits.mT, labels, self.weight),
            "bbox": (found - wanted).abs().sum() / num_boxes,
            "giou": (1 - paired_giou(*corners)).sum() / num_boxes,
        }

    def forward(self, outputs: dict, targets: list[dict]) -> dict[str, Tensor]:
        """Return every loss and their weighted sum, "loss".

        The last layer's have plain names, earlier ones end in _0, _1 …

        Raises:
            ValueError: keys or shapes of the outputs do not fit, targets are not
                one per image, labels are no classes, boxes not in [0, 1].
        """
        for one in (outputs, *outputs.get("aux_outputs", [])):
            check_outputs(one)
            if one["pred_logits"].shape[-1] != self.num_classes + 1:
                raise ValueError(
                    f"{self.num_classes} classes and ∅ need "
                    f"{self.num_classes + 1} logits, "
                    f"got {one['pred_logits'].shape[-1]}"
                )
        check_targets(targets, len(outputs["pred_logits"]), self.num_classes)
        num_boxes = max(1, sum(len(t["labels"]) for t in targets))
        losses = self.layer(outputs, targets, num_boxes)
        for i, earlier in enumerate(outputs.get("aux_outputs", [])):
            for name, value in self.layer(earlier, targets, num_boxes).items():
                losses[f"{name}_{i}"] = value
        parts = [
            self.weights[name.split("_")[0]] * losses[name]  # ce_0 weighs as ce
            for name in losses
        ]
        total = torch.stack(parts).sum()
        return losses | {"loss": total}
