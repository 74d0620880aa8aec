"""Fixtures of the tests of upsamplers."""

from __future__ import annotations

import pytest

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.miniature.scenes.generate import generate

SCENES = MiniscapesConfig(kind="miniscapes", train=4, val=1, height=128, width=256, seed=7)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four generated scenes."""
    root = tmp_path_factory.mktemp("scenes")
    generate(SCENES, root / "data", workers=1)
    return open_dataset(SCENES, root / "data", index_split(SCENES, root / "data", "train").frame)


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """An untrained encoder of 128 channels at OS 16."""
    weights = SeededWeights(source="seeded", seed=1)
    return build_encoder(EncoderConfig(architecture="mini_vit", weights=weights)).eval()
