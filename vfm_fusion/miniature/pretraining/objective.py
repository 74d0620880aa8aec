"""What an encoder is trained to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from vfm_fusion.datasets.base import Dataset, Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.training.samples import TensorBatch


class Objective(nn.Module, ABC):
    """An encoder with its training task.

    Subclasses take ``(encoder, settings, categories, seed)``; what they add to the encoder is initialised
    from ``seed``.

    Attributes:
        terms: names of the terms of the loss.
        encoder: the encoder that learns.
    """

    terms: tuple[str, ...]
    encoder: Encoder

    @abstractmethod
    def batch(self, samples: Sequence[Sample], rng: np.random.Generator) -> TensorBatch:
        """Draws what a step learns from.

        Args:
            samples: decoded images with their labels.
            rng: the step's own stream.
        """

    @abstractmethod
    def losses(self, batch: TensorBatch, progress: float) -> dict[str, Tensor]:
        """Returns the weighted terms of the loss, scalars; their sum is minimised.

        Args:
            batch: on the device of the parameters.
            progress: share of the steps that are done, in [0, 1).
        """

    def after_step(self, progress: float) -> None:
        """Does what follows an optimiser step."""

    def trained(self) -> Encoder:
        """Returns the encoder whose weights are shipped."""
        return self.encoder

    @abstractmethod
    def measures(self, train: Dataset, val: Dataset) -> Mapping[str, float]:
        """Measures what the encoder has learned, so that it can be compared with its untrained self.

        Args:
            train: images that something may be fitted to (neighbours, a linear probe).
            val: images that nothing has seen.

        Returns:
            Percentages by name, higher is better.
        """
