"""The mini encoders: what they are trained on, to do what, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vfm_fusion.config.base import Section
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.schedule import PolySchedule


class SelfDistillationConfig(Section):
    """A student learns to predict what its moving average, the teacher, says of other views (DINO, iBOT)."""

    kind: Literal["self_distillation"] = Field(
        "self_distillation", description="Self-distillation without labels, of images and of patches."
    )
    global_side: int = Field(112, ge=32, multiple_of=16, description="Side of a global view in pixels.")
    local_side: int = Field(48, ge=16, multiple_of=16, description="Side of a local view in pixels.")
    local_views: int = Field(4, ge=0, description="Local views of an image, beside two global ones.")
    region: tuple[float, float] = Field(
        (96.0, 224.0),
        strict=False,
        description="Smallest and largest side, in pixels, of the square that an image's views lie in. The "
        "scenes are alike, their regions are not.",
    )
    global_scale: tuple[float, float] = Field(
        (0.7, 1.0),
        strict=False,
        description="Smallest and largest side of what a global view shows, over the region's.",
    )
    local_scale: tuple[float, float] = Field(
        (0.3, 0.7),
        strict=False,
        description="Smallest and largest side of what a local view shows, over the region's.",
    )
    jitter_share: float = Field(
        0.8, ge=0, le=1, description="Share of views whose brightness, contrast and saturation change."
    )
    grey_share: float = Field(0.1, ge=0, le=1, description="Share of views that lose their colours.")
    blur_share: float = Field(0.3, ge=0, le=1, description="Share of views that are blurred.")
    prototypes: int = Field(512, ge=2, description="Outputs of the projection heads.")
    head_hidden_dim: int = Field(256, ge=1, description="Width of the projection heads.")
    bottleneck_dim: int = Field(64, ge=1, description="Width before the prototypes.")
    frozen_share: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Share of the steps, at the start, in which the prototypes do not learn.",
    )
    student_temperature: float = Field(0.1, gt=0, description="Temperature of the student's softmax.")
    teacher_temperature: tuple[float, float] = Field(
        (0.04, 0.05),
        strict=False,
        description="Sharpening: temperature of the teacher at the first step and after warm-up.",
    )
    temperature_warmup: float = Field(
        0.3, gt=0, le=1, description="Share of the steps in which the teacher's temperature rises."
    )
    center_momentum: float = Field(
        0.9, ge=0, lt=1, description="Centring: momentum of the mean that is subtracted from the teacher."
    )
    teacher_momentum: float = Field(
        0.98, ge=0, lt=1, description="Momentum of the teacher at the first step; it rises to 1 as a cosine."
    )
    patch_weight: float = Field(1.0, ge=0, description="Weight of the patch-level term (masked patches).")
    masked_share: tuple[float, float] = Field(
        (0.1, 0.5),
        strict=False,
        description="Smallest and largest share of a global view's patches that are masked.",
    )


class PromptableMasksConfig(Section):
    """An encoder learns to draw the object that a point or a box asks for (SAM, SAM 2)."""

    kind: Literal["promptable_masks"] = Field(
        "promptable_masks", description="The mask of the object at a point or in a box."
    )
    crop: int = Field(192, ge=64, multiple_of=32, description="Side of a training crop in pixels.")
    scale: tuple[float, float] = Field(
        (0.5, 1.25),
        strict=False,
        description="Smallest and largest side of what a crop shows, over its own side.",
    )
    points: int = Field(4, ge=1, description="Regions of an image that a point asks for.")
    boxes: int = Field(2, ge=1, description="Regions of an image that a box asks for.")
    stuff_share: float = Field(
        0.4, ge=0, le=1, description="Share of prompts on connected regions of stuff; the others are objects."
    )
    hidden_dim: int = Field(64, ge=8, multiple_of=8, description="Width of neck, prompts and mask decoder.")
    masks: int = Field(3, ge=1, description="Masks for an ambiguous point; the best of them learns.")
    focal_weight: float = Field(5.0, ge=0, description="Weight of the focal loss.")
    dice_weight: float = Field(5.0, ge=0, description="Weight of the dice loss.")
    iou_weight: float = Field(1.0, ge=0, description="Weight of the error of the predicted IoU.")


class MultilabelConfig(Section):
    """An encoder learns which classes a crop shows."""

    kind: Literal["multilabel"] = Field("multilabel", description="Which classes a crop shows, from labels.")
    crop: int = Field(192, ge=32, multiple_of=32, description="Side of a training crop in pixels.")
    scale: tuple[float, float] = Field(
        (0.4, 1.4),
        strict=False,
        description="Smallest and largest side of what a crop shows, over its own side.",
    )
    smallest_share: float = Field(
        0.005, gt=0, lt=1, description="A class is present where it has this share of the crop's pixels."
    )


ObjectiveConfig = Annotated[
    SelfDistillationConfig | PromptableMasksConfig | MultilabelConfig, Field(discriminator="kind")
]


class PretrainedConfig(Section):
    """How one mini encoder is trained from scratch."""

    architecture: str = Field(description="Name in the encoder registry.")
    objective: ObjectiveConfig = Field(description="What it is trained to do.")
    seed: int = Field(0, ge=0, description="Seed of initial weights, sampling and augmentation.")
    steps: int = Field(ge=1, description="Optimiser steps.")
    batch_size: int = Field(ge=1, description="Images per step.")
    learning_rate: float = Field(gt=0, description="AdamW's peak learning rate.")
    weight_decay: float = Field(0.05, ge=0, description="AdamW's weight decay (none on norms and biases).")
    warmup_steps: int = Field(50, ge=0, description="Linear warm-up steps.")
    schedule: PolySchedule = Field(
        default_factory=PolySchedule, description="How the learning rate falls after the warm-up."
    )
    clip_norm: float = Field(1.0, gt=0, description="Gradient clipping.")
    checkpoint_every: int = Field(100, ge=1, description="Steps between checkpoints.")
    log_every: int = Field(20, ge=1, description="Steps between lines of metrics.csv.")


def _mini_encoders() -> dict[str, PretrainedConfig]:
    return {
        "mini-dino": PretrainedConfig(
            architecture="mini_vit",
            objective=SelfDistillationConfig(),
            seed=1,
            steps=1200,
            batch_size=16,
            learning_rate=5.0e-4,
            warmup_steps=100,
        ),
        "mini-sam": PretrainedConfig(
            architecture="mini_hiera",
            objective=PromptableMasksConfig(),
            seed=2,
            steps=1500,
            batch_size=8,
            learning_rate=1.0e-3,
        ),
        "mini-swin": PretrainedConfig(
            architecture="mini_swin",
            objective=MultilabelConfig(),
            seed=3,
            steps=2000,
            batch_size=16,
            learning_rate=1.0e-3,
        ),
    }


class PretrainingConfig(Section):
    """Pre-training of the mini encoders that this project ships (`snakemake pretrain_mini`)."""

    scenes: MiniscapesConfig = Field(
        default_factory=lambda: MiniscapesConfig(kind="miniscapes", train=2000, val=100, seed=1000),
        description="Scenes that they are trained on (train) and checked on (val); another seed than that of "
        "an experiment's own scenes.",
    )
    models: dict[str, PretrainedConfig] = Field(
        default_factory=_mini_encoders,
        description="Those that are trained, by name. Left out: the three that the project ships.",
    )
