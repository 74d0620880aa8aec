"""Inputs shared by the metric tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Loads a golden case by name."""

    def load(case: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{case}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return load


@pytest.fixture
def scene() -> Callable[..., tuple[Tensor, Tensor]]:
    """Makes a batch of smooth random features and random images from a seed."""

    def make(
        seed: int,
        *,
        batch: int = 1,
        channels: int = 6,
        size: tuple[int, int] = (24, 32),
        image_size: tuple[int, int] = (96, 128),
    ) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randn(batch, channels, 4, 5, generator=generator)
        features = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
        features = features + 0.2 * torch.randn(features.shape, generator=generator)
        images = torch.randint(0, 256, (batch, 3, *image_size), generator=generator, dtype=torch.uint8)
        return features, images

    return make
