"""Colours of several maps of one image by the same three principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.metrics.component_colors import COMPONENTS, component_colors, signs
from vfm_fusion.metrics.principal import leading_eigenvectors, self_product

_RANGE = (0.0, 100.0)
"""A component's least and largest score become 0 and 1, as in the released figures."""


class JointPca(NamedTuple):
    """The principal components of several maps together.

    Attributes:
        mean: ``(C, 1)`` float32.
        axes: ``(count, C)`` float32, signed so that the score of largest magnitude is positive.
    """

    mean: Tensor
    axes: Tensor

    @classmethod
    def of(cls, maps: Sequence[Tensor]) -> JointPca:
        """Finds them, exactly.

        Args:
            maps: ``(C, h, w)`` float32 each, channels as they are; of one size, so that each counts alike.
        """
        tokens = torch.cat([one.flatten(1) for one in maps], dim=1)  # (C, n)
        mean = tokens.mean(dim=1, keepdim=True)
        centred = tokens - mean
        _, vectors = leading_eigenvectors(self_product(centred), min(COMPONENTS, len(tokens)))
        axes = vectors.T.float()
        return cls(mean, axes * torch.from_numpy(signs((axes @ centred).numpy()))[:, None])

    def colors(self, values: Tensor) -> np.ndarray:
        """Colours a map ``(C, H, W)``, of any size: ``(3, H, W)`` float32 in [0, 1].

        The range of every component is that of this map alone, so that maps of another scale are seen too;
        hues are comparable between maps, brightness is not.
        """
        scores = self.axes @ (values.flatten(1) - self.mean)
        return component_colors(scores.numpy(), _RANGE).reshape(COMPONENTS, *values.shape[-2:])
