"""The training of an upsampler as a task of the training engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vfm_fusion.atomic import atomic_path
from vfm_fusion.config.upsampling import LEARNED, UpsamplerTrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.pyramid import nearest_stride
from vfm_fusion.training.samples import Place, StepSampler, TensorBatch
from vfm_fusion.training.task import Part, Task
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.pretraining.objectives import OBJECTIVES
from vfm_fusion.upsampling.pretraining.trainable import check_trainable
from vfm_fusion.upsampling.pretraining.views import Views, draw_crop

WEIGHTS_FILE = "upsampler.safetensors"

_ORDER, _CROPS = 0, 1  # streams of random numbers


class UpsamplerTraining(Task):
    """An upsampler learns what a frozen encoder makes of larger images.

    Norms over a batch, and sizes and disturbances that are drawn for a step, keep it from being divided.

    Attributes:
        upsampler: what is trained.
        objective: its loss, with what that learns itself.
        encoder: frozen, in evaluation mode whatever the task's. It sees images at their own size: at a fixed
            ``resolution`` maps of larger images would show no more.
        stride: output stride of its maps.
    """

    divisible = False

    def __init__(
        self,
        name: str,
        recipe: UpsamplerTrainingConfig,
        encoder: Encoder,
        dataset: Dataset,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Builds the untrained upsampler.

        Args:
            name: the upsampler, a key of :data:`OBJECTIVES`.
            recipe: the recipe.
            encoder: gives the maps; it is frozen in place.
            dataset: images; labels are not read.
            settings: what the upsampler takes besides; where left out, what it is trained with.

        Raises:
            ConfigError: see :func:`~vfm_fusion.upsampling.pretraining.trainable.check_trainable`.
        """
        super().__init__(recipe, recipe.seed)
        spec = encoder.spec
        check_trainable("recipe", name, recipe, spec)
        objective, self.dataset = OBJECTIVES[name], dataset
        self.terms = objective.terms
        self.stride = nearest_stride(spec.strides, recipe.stride)
        channels = spec.channels[self.stride]
        torch.manual_seed(recipe.seed)
        self.upsampler = build_upsampler(
            name, channels, **(LEARNED[name].settings if settings is None else settings)
        )
        self.objective = objective.losses(channels, self.stride)
        self.encoder = encoder.eval().requires_grad_(False)
        self.encoder.resolution = None

    def train(self, mode: bool = True) -> UpsamplerTraining:
        """Sets the mode of all but the encoder."""
        super().train(mode)
        self.encoder.eval()
        return self

    def sampler(self) -> StepSampler:
        """See :meth:`Task.sampler`: every image once an epoch."""
        return StepSampler(len(self.dataset), self.recipe.batch_size, self.derive(_ORDER))

    def batch(self, step: int, samples: Sequence[Place]) -> TensorBatch:
        """See :meth:`Task.batch`: crops ``(B, 3, S, S)`` uint8."""
        crops = [
            draw_crop(
                self.dataset.image(number),
                self.recipe.side,
                self.recipe.crop,
                np.random.default_rng(self.derive(_CROPS, place)),
            )
            for place, number in samples
        ]
        return TensorBatch(images=torch.from_numpy(np.stack(crops)))

    def losses(self, part: Part) -> dict[str, Tensor]:
        """See :meth:`Task.losses`."""
        images = part.batch["images"].float() / 255
        return self.objective(self.upsampler, Views(self.encoder, self.stride, images))

    def saved(self) -> dict[str, Tensor]:
        """See :meth:`Task.saved`: all but the encoder."""
        return {key: value for key, value in self.state_dict().items() if not key.startswith("encoder.")}

    def names(self, samples: Sequence[Place]) -> list[str]:
        """See :meth:`Task.names`: the ids of the images."""
        return [self.dataset.ids[number] for _, number in samples]

    def write(self, folder: Path) -> None:
        """See :meth:`Task.write`: the upsampler's weights, which ``build_upsampler`` reads."""
        weights = self.upsampler.state_dict()
        with atomic_path(folder / WEIGHTS_FILE) as temporary:
            temporary.write_bytes(save({name: value.cpu().contiguous() for name, value in weights.items()}))
