"""The pre-training of an encoder as a task of the training engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.torch import save
from torch import Tensor

from vfm_fusion.atomic import atomic_path
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.pretraining import PretrainedConfig
from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.miniature.pretraining.multilabel import Multilabel
from vfm_fusion.miniature.pretraining.objective import Objective
from vfm_fusion.miniature.pretraining.promptable_masks import PromptableMasks
from vfm_fusion.miniature.pretraining.self_distillation import SelfDistillation
from vfm_fusion.training.samples import Place, StepSampler, TensorBatch
from vfm_fusion.training.task import Part, Task

WEIGHTS_FILE = "model.safetensors"

_OBJECTIVES: dict[str, type[Objective]] = {
    "self_distillation": SelfDistillation,
    "promptable_masks": PromptableMasks,
    "multilabel": Multilabel,
}

_ORDER, _VIEWS = 0, 1  # streams of random numbers


def untrained(recipe: PretrainedConfig, categories: Sequence[Category]) -> Objective:
    """Builds an objective whose encoder has its initial weights.

    Args:
        recipe: architecture, objective and seed.
        categories: the classes of the scenes.
    """
    weights = SeededWeights(source="seeded", seed=recipe.seed)
    encoder = build_encoder(EncoderConfig(architecture=recipe.architecture, weights=weights))
    return _OBJECTIVES[recipe.objective.kind](encoder, recipe.objective, categories, recipe.seed)


class Pretraining(Task):
    """An encoder learns its objective.

    The views of all images of a step come from one stream of random numbers, and an objective may compare its
    images with one another, so a step cannot be divided.

    Attributes:
        objective: what is trained.
    """

    divisible = False

    def __init__(self, recipe: PretrainedConfig, dataset: Dataset) -> None:
        """Builds the untrained objective.

        Args:
            recipe: the recipe.
            dataset: labelled images.
        """
        super().__init__(recipe, recipe.seed)
        self.objective = untrained(recipe, dataset.categories)
        self.terms = self.objective.terms
        self.dataset = dataset

    def sampler(self) -> StepSampler:
        """See :meth:`Task.sampler`: every image once an epoch."""
        return StepSampler(len(self.dataset), self.recipe.batch_size, self.derive(_ORDER))

    def batch(self, step: int, samples: Sequence[Place]) -> TensorBatch:
        """See :meth:`Task.batch`."""
        images = [self.dataset[number] for _, number in samples]
        return self.objective.batch(images, np.random.default_rng([self.seed, _VIEWS, step]))

    def losses(self, part: Part) -> dict[str, Tensor]:
        """See :meth:`Task.losses`."""
        return self.objective.losses(part.batch, part.progress)

    def after_step(self, progress: float) -> None:
        """See :meth:`Task.after_step`."""
        self.objective.after_step(progress)

    def names(self, samples: Sequence[Place]) -> list[str]:
        """See :meth:`Task.names`: the ids of the images."""
        return [self.dataset.ids[number] for _, number in samples]

    def derive(self, *parts: int) -> int:
        """See :meth:`Task.derive`: in 32 bits, by which the weights that are shipped were trained."""
        return int(np.random.SeedSequence([self.seed, *parts]).generate_state(1)[0])

    def write(self, folder: Path) -> None:
        """See :meth:`Task.write`: the encoder's weights."""
        weights = self.objective.trained().state_dict()
        with atomic_path(folder / WEIGHTS_FILE) as temporary:
            temporary.write_bytes(save({name: value.cpu().contiguous() for name, value in weights.items()}))
