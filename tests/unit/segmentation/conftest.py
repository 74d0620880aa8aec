"""Settings of the segmentation tests."""

from __future__ import annotations

import pytest

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.training import AugmentationConfig, HeadConfig, TrainingConfig


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
        augmentation=AugmentationConfig(crop=(64, 64)),
        head=head_config,
    )


@pytest.fixture
def encoders() -> dict[str, EncoderConfig]:
    def seeded(architecture: str) -> EncoderConfig:
        return EncoderConfig.model_validate(
            {"architecture": architecture, "weights": {"source": "seeded", "seed": 1}}
        )

    return {"vit": seeded("mini_vit"), "hiera": seeded("mini_hiera")}
