"""The fused model as a task of the training engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.segmentation.data import Batch, MaskDataset
from vfm_fusion.segmentation.loss import TERMS, MaskCriterion, StepTotals
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.stored_maps import StoredMaps
from vfm_fusion.segmentation.trained import save_run
from vfm_fusion.training.optimization import parameter_groups
from vfm_fusion.training.samples import Place, StepSampler
from vfm_fusion.training.stochastic_depth import share_stochastic_depth
from vfm_fusion.training.task import Part, Task
from vfm_fusion.training.views import Views

_POINTS, _DEPTH = 4, 5  # streams of random numbers; MaskDataset draws from 1 and 3


class SegmentationTask(Task):
    """A segmentation model learns the masks of augmented crops, new ones or fixed views.

    Every image draws its points with a generator that its place in the stream of samples seeds, and
    stochastic depth draws for all images of the step.

    Attributes:
        model: the model.
        criterion: its loss.
    """

    terms = TERMS

    def __init__(
        self,
        model: FusedSegmenter,
        categories: int,
        recipe: TrainingConfig,
        seed: int,
        dataset: Dataset | None = None,
        description: Mapping[str, Any] | None = None,
        maps: StoredMaps | None = None,
    ) -> None:
        """Puts a loss on the model.

        Args:
            model: the model.
            categories: number of classes.
            recipe: the recipe.
            seed: seed of sampling, augmentation and points.
            dataset: training images and labels, or fixed views of them; left out where batches come from
                elsewhere.
            description: content of ``run.json``; left out where nothing is written.
            maps: those of the views, where the encoders are frozen and need not run.
        """
        super().__init__(recipe, seed)
        self.model = model
        self.criterion = MaskCriterion(categories, recipe.head)
        self.depth = share_stochastic_depth(model)
        self.description = description
        self.dataset = dataset
        if dataset is not None:
            drawn = None if isinstance(dataset, Views) else recipe.augmentation
            self.data = MaskDataset(dataset, recipe.task, drawn, seed, maps)

    def sampler(self) -> StepSampler:
        """See :meth:`Task.sampler`: every image, or every view, once an epoch."""
        return StepSampler(len(self.dataset), self.recipe.batch_size, self.seed)

    def batch(self, step: int, samples: Sequence[Place]) -> Batch:
        """See :meth:`Task.batch`."""
        return self.data.batch(samples)

    def totals(self, batch: Batch) -> tuple[int, int, int]:
        """See :meth:`Task.totals`: the fields of :class:`~vfm_fusion.segmentation.loss.StepTotals`."""
        totals = self.criterion.totals(batch.labels)
        return totals.images, totals.masks, totals.matched

    def losses(self, part: Part) -> dict[str, Tensor]:
        """See :meth:`Task.losses`."""
        batch, device = part.batch, next(self.parameters()).device
        self.depth.begin(self.derive(_DEPTH, part.step), part.samples, part.first, part.count, device)
        start = part.step * part.samples + part.first
        generators = [
            Generator(device).manual_seed(self.derive(_POINTS, place))
            for place in range(start, start + part.count)
        ]
        totals = StepTotals(*part.totals)
        found = self.criterion(self.model(batch.images), batch.masks, batch.labels, totals, generators)
        return {name: found[name] for name in self.terms}

    def groups(self) -> list[dict[str, Any]]:
        """See :meth:`Task.groups`: encoders learn at ``encoder_lr_multiplier`` times the rate."""
        factor = self.recipe.encoder_lr_multiplier
        return parameter_groups(self.model, self.recipe, {"master": factor, "auxiliary": factor})

    def clipped(self) -> Iterable[nn.Parameter]:
        """See :meth:`Task.clipped`: in the order of the groups."""
        return [parameter for group in self.groups() for parameter in group["params"]]

    def blank(self) -> Batch:
        """See :meth:`Task.blank`: a black crop without targets."""
        height, width = self.recipe.augmentation.crop
        masks, labels = torch.zeros(0, height, width, dtype=torch.bool), torch.zeros(0).long()
        return Batch(torch.zeros(1, 3, height, width), [masks], [labels])

    def saved(self) -> dict[str, Tensor]:
        """See :meth:`Task.saved`: the trained parameters."""
        return {name: p.detach() for name, p in self.named_parameters() if p.requires_grad}

    def names(self, samples: Sequence[Place]) -> list[str]:
        """See :meth:`Task.names`: the ids of the images."""
        return [self.dataset.ids[number] for _, number in samples]

    def write(self, folder: Path) -> None:
        """See :meth:`Task.write`: ``model.safetensors`` and ``run.json``."""
        save_run(folder, self.model, self.description)
