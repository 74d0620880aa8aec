"""Settings of the segmentation tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from segmentation_toys import ToyDataset

from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.job import train_run
from vfm_fusion.segmentation.model import FusedSegmenter


@pytest.fixture
def head_config() -> HeadConfig:
    return HeadConfig(
        pyramid_channels=(8, 12, 16, 20),
        hidden_dim=32,
        heads=2,
        pixel_decoder_layers=1,
        pixel_decoder_feedforward_dim=32,
        decoder_layers=2,
        feedforward_dim=32,
        queries=6,
        points=64,
    )


@pytest.fixture
def recipe(head_config: HeadConfig) -> TrainingConfig:
    return TrainingConfig(
        steps=4,
        batch_size=2,
        learning_rate=1e-3,
        checkpoint_every=1,
        log_every=3,
        augmentation=AugmentationConfig(crop=(64, 64), scale=RelativeScale(), color="simple"),
        head=head_config,
    )


@pytest.fixture
def encoders() -> dict[str, EncoderConfig]:
    def seeded(architecture: str) -> EncoderConfig:
        return EncoderConfig.model_validate(
            {"architecture": architecture, "weights": {"source": "seeded", "seed": 1}}
        )

    return {"vit": seeded("mini_vit"), "hiera": seeded("mini_hiera")}


@pytest.fixture
def trained(
    tmp_path: Path,
    encoders: dict[str, EncoderConfig],
    recipe: TrainingConfig,
):
    """Trains a run on the toys; returns its folder and its model as it was when training ended."""

    def run(strides: tuple[int, ...] = (), **settings: object) -> tuple[Path, FusedSegmenter]:
        folder = tmp_path / "run" / "seed0"
        task = train_run(
            run=RunConfig(**settings),
            encoders=encoders,
            strides=strides,
            training=recipe,
            seed=0,
            dataset=ToyDataset(),
            out_dir=folder,
            state_dir=tmp_path / "state",
            token="t",
        )
        return folder, task.model

    return run
