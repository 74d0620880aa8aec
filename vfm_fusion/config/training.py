"""The training recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.config.base import Section
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.schedule import MultistepSchedule, PolySchedule, ScheduleConfig

EXECUTION = frozenset({"devices", "accumulate", "workers"})
"""Settings that say how the work is done: results depend on them no more than on the order of a sum."""


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
    batch_size: int = Field(
        3, ge=1, description="Images per optimiser step, over all devices and micro-batches together."
    )
    devices: int = Field(
        1,
        ge=1,
        description="GPUs that share the images of a step (processes, on a machine without a GPU).",
    )
    accumulate: int = Field(
        1,
        ge=1,
        description="Micro-batches that a device's images of a step are divided into, where they do not fit "
        "into its memory together. Neither this nor `devices` changes the result.",
    )
    learning_rate: float = Field(1e-4, gt=0, description="AdamW's peak learning rate.")
    weight_decay: float = Field(
        0.05, ge=0, description="AdamW's weight decay (none on norms, biases and embeddings)."
    )
    encoder_lr_multiplier: float = Field(
        0.1, gt=0, description="Factor on the learning rate of a fine-tuned encoder."
    )
    warmup_steps: int = Field(0, ge=0, description="Linear warm-up steps.")
    schedule: ScheduleConfig = Field(
        default_factory=PolySchedule, description="How the learning rate falls after the warm-up."
    )
    clip_norm: float = Field(
        0.01, gt=0, description="Gradient clipping: the norm of the full model's gradient."
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        "32-true",
        description="Precision of encoders and decoder: float32, or autocast to bfloat16 or to float16 (with "
        "a loss scaler). Weights, pixel decoder and loss are float32 in any case.",
    )
    deterministic: bool = Field(
        False,
        description="Take deterministic kernels on a GPU where torch has them (slower). Bilinear sampling, "
        "in head and loss, has none for its backward pass, so two runs on a GPU may still differ slightly. "
        "On a CPU a run repeats bit for bit without this.",
    )
    workers: int = Field(
        0,
        ge=0,
        description="Data-loader processes of each device; a training job takes one thread more than that.",
    )
    checkpoint_every: int = Field(500, ge=1, description="Steps between checkpoints (under results/state/).")
    log_every: int = Field(20, ge=1, description="Steps between lines of metrics.csv.")
    augmentation: AugmentationConfig = Field(
        default_factory=AugmentationConfig, description="Training-time augmentation."
    )
    cached_views: int | None = Field(
        None,
        ge=1,
        description="Augment every image in so many ways, once and for all, instead of anew at every step. "
        "All runs, seeds and encoders of the recipe share these views. What frozen encoders make of them is "
        "stored, so that a run which trains neither encoder never runs one; `feature_info` says how large "
        "the stores will be. null: new crops at every step, and every encoder runs at every step.",
    )
    head: HeadConfig = Field(default_factory=HeadConfig, description="The mask head.")

    @model_validator(mode="after")
    def _shares(self) -> TrainingConfig:
        if self.batch_size % (self.devices * self.accumulate):
            raise ValueError(
                f"batch_size {self.batch_size} cannot be divided among {self.devices} devices with "
                f"{self.accumulate} micro-batches each; set devices times accumulate to a divisor of "
                "batch_size, which is the number of images of a step over all devices"
            )
        if isinstance(self.schedule, MultistepSchedule) and self.schedule.milestones[-1] >= self.steps:
            raise ValueError(
                f"schedule.milestones: {self.schedule.milestones[-1]} is not before the last of {self.steps} "
                "steps; choose earlier milestones or more steps"
            )
        return self

    @model_validator(mode="after")
    def _one_query_a_class(self) -> TrainingConfig:
        if self.head.matcher == "identity" and self.task != "semantic":
            raise ValueError(
                f"head.matcher: identity gives each class one query, but in task {self.task} an image has "
                "several objects of a class; train the task semantic, or take matcher hungarian"
            )
        return self

    @model_validator(mode="after")
    def _rule_of_the_single_category(self) -> TrainingConfig:
        share = self.augmentation.single_category_max_area
        if self.task == "instance" and share < 1:
            raise ValueError(
                f"augmentation.single_category_max_area: {share:g} limits the classes of all pixels, which "
                "task instance does not read; leave it at 1"
            )
        return self
