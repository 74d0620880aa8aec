"""Supervised multi-label classification of crops (the mini counterpart of Swin's ImageNet training)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.pretraining import MultilabelConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.miniature.pretraining.crops import cut, draw_window
from vfm_fusion.miniature.pretraining.objective import Objective
from vfm_fusion.miniature.pretraining.probing import probe
from vfm_fusion.training.color import jitter_color
from vfm_fusion.training.samples import TensorBatch


class Multilabel(Objective):
    """Which classes does a crop show? From the mean of the coarsest map."""

    terms = ("class",)

    def __init__(
        self, encoder: Encoder, settings: MultilabelConfig, categories: Sequence[Category], seed: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        self.classes = len(categories)
        channels = encoder.spec.channels[encoder.spec.strides[-1]]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, self.classes))

    def batch(self, samples: Sequence[Sample], rng: np.random.Generator) -> TensorBatch:
        """See :meth:`Objective.batch`: one crop an image, and which classes it shows."""
        crops = [self._crop(sample, rng) for sample in samples]
        images, present = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
        return TensorBatch(images=images, present=present)

    def _crop(self, sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        settings = self.settings
        window = draw_window(*sample.image.shape[:2], settings.crop, settings.scale, rng)
        image = jitter_color(cut(sample.image, window, settings.crop), rng)
        semantic = cut(sample.semantic, window, settings.crop, labels=True)
        if rng.random() < 0.5:
            image, semantic = image[:, ::-1], semantic[:, ::-1]
        pixels = np.bincount(semantic.ravel(), minlength=VOID + 1)[: self.classes]
        present = pixels >= settings.smallest_share * semantic.size
        return np.ascontiguousarray(image.transpose(2, 0, 1)), present  # (3, S, S), (classes,)

    def losses(self, batch: TensorBatch, progress: float) -> dict[str, Tensor]:
        """See :meth:`Objective.losses`: binary cross-entropy."""
        coarsest = self.encoder.spec.strides[-1]
        maps = self.encoder(batch["images"].float() / 255, [coarsest])[coarsest]  # (B, C, h, w)
        logits = self.head(maps.mean(dim=(2, 3)))  # (B, classes)
        return {"class": F.binary_cross_entropy_with_logits(logits, batch["present"].float())}

    def measures(self, train: Dataset, val: Dataset) -> Mapping[str, float]:
        """See :func:`vfm_fusion.miniature.pretraining.probing.probe`."""
        return probe(self.encoder, train, val, self.classes)
