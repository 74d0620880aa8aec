"""Masks of prompted regions (the mini counterpart of SAM's training)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.pretraining import PromptableMasksConfig
from vfm_fusion.datasets.base import Category, Dataset, Instances, Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.errors import TrainingError
from vfm_fusion.miniature.pretraining.crops import cut, draw_window
from vfm_fusion.miniature.pretraining.mask_decoder import STRIDES, PromptedMasks
from vfm_fusion.miniature.pretraining.objective import Objective
from vfm_fusion.miniature.pretraining.point_iou import MasksAtPoints, point_iou
from vfm_fusion.miniature.pretraining.prompts import draw_box, draw_point, objects, stuff
from vfm_fusion.training.color import jitter_color
from vfm_fusion.training.samples import TensorBatch

_LEAST = 32  # pixels of a region in a crop
_MASK_STRIDE = 4  # at which masks are predicted and compared
_ALPHA = 0.25  # weight of a region's own pixels in the focal loss; others have 1 - alpha
_GAMMA = 2.0


class PromptableMasks(Objective):
    """Which pixels belong to the object, or to the stretch of stuff, at a point or in a box?

    Of an image some prompts are points, the others boxes. A box has one mask, a point several; the one that
    fits best learns. Masks are compared at stride 4, with the share of each cell that a region covers.

    Crops lie anywhere in a span of twice their side, so that positions mean something in larger images too.
    """

    terms = ("focal", "dice", "iou")

    def __init__(
        self, encoder: Encoder, settings: PromptableMasksConfig, categories: Sequence[Category], seed: int
    ) -> None:
        super().__init__()
        missing = set(STRIDES) - set(encoder.spec.strides)
        if missing:
            raise TrainingError(
                f"promptable masks are learned by an encoder with strides {list(STRIDES)}, "
                f"{encoder.spec.architecture} has {list(encoder.spec.strides)}; choose a hierarchical one."
            )
        self.encoder = encoder
        self.settings = settings
        self.stuff = tuple(category.id for category in categories if not category.isthing)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.masks = PromptedMasks(
                encoder.spec.channels, settings.hidden_dim, settings.masks, span=2 * settings.crop
            )
        self.masks.decoder.pred_obj_score_head.requires_grad_(False)
        self.masks.prompts.no_mask_embed.requires_grad_(False)

    def batch(self, samples: Sequence[Sample], rng: np.random.Generator) -> TensorBatch:
        """See :meth:`Objective.batch`: one crop an image, prompts, and their regions.

        Returns:
            ``images`` ``(B, 3, S, S)`` uint8, ``origins`` ``(B, 2)``, ``points`` ``(B, points, 2)``,
            ``boxes`` ``(B, boxes, 4)``, ``coverage`` ``(B, points + boxes, S/4, S/4)`` uint8, 255 where a
            region covers a cell, ``valid`` ``(B,)``, False where a crop has no region.

        Raises:
            TrainingError: a sample has no labels.
        """
        crops = [self._crop(sample, rng) for sample in samples]
        return TensorBatch(
            {name: torch.from_numpy(np.stack([crop[name] for crop in crops])) for name in crops[0]}
        )

    def _crop(self, sample: Sample, rng: np.random.Generator) -> dict[str, np.ndarray]:
        settings = self.settings
        side = settings.crop
        window = draw_window(*sample.image.shape[:2], side, settings.scale, rng)
        image = jitter_color(cut(sample.image, window, side), rng)
        regions = self._draw(*self._regions(sample, window), rng)
        if rng.random() < 0.5:
            image, regions = image[:, ::-1], [region[:, ::-1] for region in regions]
        prompted = regions or [np.ones((side, side), bool)] * (settings.points + settings.boxes)
        points = [draw_point(region, rng) for region in prompted[: settings.points]]
        boxes = [draw_box(region, rng) for region in prompted[settings.points :]]
        return {
            "images": np.ascontiguousarray(image.transpose(2, 0, 1)),
            "origins": rng.integers(side + 1, size=2).astype(np.float32),
            "points": np.stack(points),
            "boxes": np.stack(boxes),
            "coverage": np.stack([_coverage(region) for region in prompted]),
            "valid": np.array(bool(regions)),
        }

    def _regions(
        self, sample: Sample, window: tuple[int, int, int]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Returns the objects and the regions of stuff in a crop, ``(S, S)`` bool each."""
        if sample.semantic is None and sample.instances is None:
            raise TrainingError(
                f"image {sample.image_id!r} has no labels; promptable masks are learned from objects "
                "(instances) or stuff (classes). Train on a labelled split."
            )
        side = self.settings.crop
        things, rest = [], []
        if sample.instances is not None:
            things = objects(_cut_instances(sample.instances, window, side), _LEAST)
        if sample.semantic is not None:
            rest = stuff(cut(sample.semantic, window, side, labels=True), self.stuff, _LEAST)
        return things, rest

    def _draw(
        self, things: list[np.ndarray], rest: list[np.ndarray], rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Draws a region for each prompt, or none where there is none; a kind that is missing gives way.

        A region's chance grows with the root of its area: most regions are specks.
        """
        if not things and not rest:
            return []
        settings = self.settings
        kinds = [kind for kind in (things, rest) if kind]
        chances = [np.sqrt([region.sum() for region in kind]) for kind in kinds]
        drawn = []
        for _ in range(settings.points + settings.boxes):
            choice = int(rng.random() < settings.stuff_share) % len(kinds)
            drawn.append(kinds[choice][_weighted(chances[choice], rng)])
        return drawn

    def losses(self, batch: TensorBatch, progress: float) -> dict[str, Tensor]:
        """See :meth:`Objective.losses`: means over prompts; 0 in a batch without a region."""
        settings = self.settings
        coverage = batch["coverage"].float()[:, :, None] / 255  # (B, P, 1, h, w)
        maps = self.masks.read(self.encoder(batch["images"].float() / 255, STRIDES), batch["origins"])
        points = self._terms(*self.masks.at_points(maps, batch["points"]), coverage[:, : settings.points])
        boxes = self._terms(*self.masks.in_boxes(maps, batch["boxes"]), coverage[:, settings.points :])
        terms = torch.cat([points, boxes], dim=1)  # (B, P, 3)
        valid = batch["valid"].to(terms.dtype)
        prompts = (valid.sum() * terms.shape[1]).clamp(min=1)
        return dict(zip(self.terms, torch.einsum("bpt,b->t", terms, valid) / prompts, strict=True))

    def _terms(self, logits: Tensor, predicted: Tensor, coverage: Tensor) -> Tensor:
        """Returns the weighted terms ``(B, P, 3)`` of the best mask for each prompt.

        Args:
            logits: ``(B, P, masks, h, w)``.
            predicted: ``(B, P, masks)`` IoUs.
            coverage: ``(B, P, 1, h, w)``.
        """
        settings = self.settings
        coverage = coverage.expand_as(logits)
        focal = settings.focal_weight * focal_losses(logits, coverage)
        dice = settings.dice_weight * dice_losses(logits, coverage)
        best = (focal + dice).detach().argmin(dim=2, keepdim=True)
        with torch.no_grad():
            reached = ious(logits, coverage)
        error = settings.iou_weight * (predicted - reached).abs().mean(dim=2)
        return torch.stack([focal.gather(2, best)[..., 0], dice.gather(2, best)[..., 0], error], dim=-1)

    def measures(self, train: Dataset, val: Dataset) -> Mapping[str, float]:
        """See :func:`vfm_fusion.miniature.pretraining.point_iou.point_iou`."""
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            divisor = self.encoder.spec.size_divisor
            return point_iou(self._read, divisor, self.masks.span, self.stuff, val)
        finally:
            for module, training in modes:
                module.training = training

    def _read(self, image: Tensor) -> MasksAtPoints:
        """Encodes one image ``(1, 3, H, W)``."""
        device = next(self.parameters()).device
        maps = self.masks.read(self.encoder(image.to(device), STRIDES))

        def masks_at(points: Tensor) -> tuple[Tensor, Tensor]:
            logits, predicted = self.masks.at_points(maps, points[None].to(device))
            return logits[0].cpu(), predicted[0].cpu()

        return masks_at


def focal_losses(logits: Tensor, coverage: Tensor) -> Tensor:
    """Focal loss, the mean over pixels; a pixel that is covered in part counts in part for both sides.

    Args:
        logits: ``(..., h, w)``.
        coverage: the same shape, in [0, 1].

    Returns:
        ``(...)``.
    """
    share = torch.sigmoid(logits)
    inside = _ALPHA * coverage * (1 - share) ** _GAMMA * F.logsigmoid(logits)
    outside = (1 - _ALPHA) * (1 - coverage) * share**_GAMMA * F.logsigmoid(-logits)
    return -(inside + outside).mean(dim=(-2, -1))


def dice_losses(logits: Tensor, coverage: Tensor) -> Tensor:
    """One minus the dice coefficient, smoothed by one pixel; shapes as in :func:`focal_losses`."""
    share = torch.sigmoid(logits)
    common = (share * coverage).sum(dim=(-2, -1))
    total = share.sum(dim=(-2, -1)) + coverage.sum(dim=(-2, -1))
    return 1 - (2 * common + 1) / (total + 1)


def ious(logits: Tensor, coverage: Tensor) -> Tensor:
    """IoU of the masks where logits are above 0, in [0, 1]; shapes as in :func:`focal_losses`."""
    mask = (logits > 0).to(coverage.dtype)
    common = (mask * coverage).sum(dim=(-2, -1))
    union = mask.sum(dim=(-2, -1)) + coverage.sum(dim=(-2, -1)) - common
    return common / union.clamp(min=torch.finfo(coverage.dtype).tiny)


def _weighted(weights: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def _cut_instances(instances: Instances, window: tuple[int, int, int], side: int) -> Instances:
    covered = instances.covered
    return Instances(
        ids=cut(instances.ids, window, side, labels=True),
        categories=instances.categories,
        crowd=instances.crowd,
        covered=None
        if covered is None
        else np.stack([cut(layer, window, side, labels=True) for layer in covered]),
    )


def _coverage(region: np.ndarray) -> np.ndarray:
    """The share of each cell that a region ``(S, S)`` covers: ``(S/4, S/4)`` uint8, 255 = all."""
    height, width = (side // _MASK_STRIDE for side in region.shape)
    return cv2.resize(region.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA)
