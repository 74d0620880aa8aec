"""The training recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.config.base import Section
from vfm_fusion.config.head import HeadConfig


class TrainingConfig(Section):
    """The training recipe, shared by all runs."""

    task: Literal["panoptic", "instance", "semantic"] = Field(
        "panoptic",
        description="Targets: `panoptic` (instances and stuff; gives AP, mIoU and PQ), `instance` (thing "
        "classes only; AP only) or `semantic` (mIoU only).",
    )
    seeds: tuple[int, ...] = Field(
        (0,), strict=False, min_length=1, description="One training per run and seed."
    )
    steps: int = Field(180_000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(3, ge=1, description="Images per step.")
    learning_rate: float = Field(1e-4, gt=0, description="AdamW's peak learning rate.")
    weight_decay: float = Field(
        0.05, ge=0, description="AdamW's weight decay (none on norms, biases and embeddings)."
    )
    encoder_lr_multiplier: float = Field(
        0.1, gt=0, description="Factor on the learning rate of a fine-tuned encoder."
    )
    warmup_steps: int = Field(0, ge=0, description="Linear warm-up steps.")
    poly_power: float = Field(0.9, gt=0, description="Power of the polynomial decay.")
    clip_norm: float = Field(
        0.01, gt=0, description="Gradient clipping: the norm of the full model's gradient."
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        "32-true", description="Lightning's precision."
    )
    workers: int = Field(
        0, ge=0, description="Data-loader processes; a training job takes one thread more than that."
    )
    checkpoint_every: int = Field(500, ge=1, description="Steps between checkpoints (under results/state/).")
    log_every: int = Field(20, ge=1, description="Steps between lines of metrics.csv.")
    augmentation: AugmentationConfig = Field(
        default_factory=AugmentationConfig, description="Training-time augmentation."
    )
    head: HeadConfig = Field(default_factory=HeadConfig, description="The mask head.")
