"""Runs (what is trained) and the recipe (how)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from vfm_fusion.config.base import STRIDES, Section

ROLES = ("master", "auxiliary")

InjectionStride = int | Literal["selected"]
"""An output stride, or the one that the metric chooses for the auxiliary."""


class FusionConfig(Section):
    """How auxiliary features enter the master's pyramid (Eq. 9)."""

    operator: Literal["replace", "concat", "gated"] = Field(
        "replace",
        description="What happens at an injection stride. `replace`: the auxiliary's map takes the place of "
        "the master's (the paper). `concat`: both are concatenated and projected back to the master's "
        "channels. `gated`: the auxiliary's map is added through one gate per channel, which starts at 0, so "
        "that training starts from the master alone.",
    )
    stride: InjectionStride | Annotated[tuple[InjectionStride, ...], Field(strict=False)] = Field(
        "selected",
        description="Where: an output stride, `selected` for the one that the metric chooses (s*), or a list "
        "of such, as in `[selected, 4]`. Where `selected` turns out to be another one of the list, it counts "
        "once.",
    )
    align: Literal["sample", "project"] = Field(
        "sample",
        description="How the auxiliary's map gets the master's channels: evenly spaced channels, or mean "
        "padding where it has fewer (released code); or a learned 1x1 projection.",
    )

    @property
    def strides(self) -> tuple[InjectionStride, ...]:
        """Injection strides as they are configured."""
        return self.stride if isinstance(self.stride, tuple) else (self.stride,)

    @field_validator("stride")
    @classmethod
    def _possible(
        cls, stride: InjectionStride | tuple[InjectionStride, ...]
    ) -> InjectionStride | tuple[InjectionStride, ...]:
        strides = stride if isinstance(stride, tuple) else (stride,)
        if not strides:
            raise ValueError("no stride to inject at; leave the auxiliary out to train the master alone")
        for single in strides:
            if single != "selected" and single not in STRIDES:
                raise ValueError(f"{single} is impossible; choose from: {list(STRIDES)} or 'selected'")
            if strides.count(single) > 1:
                raise ValueError(f"{single} occurs {strides.count(single)} times; name each stride once")
        return stride

    @model_validator(mode="after")
    def _something_left(self) -> FusionConfig:
        if self.operator == "replace" and len(self.strides) >= len(STRIDES):
            raise ValueError(
                f"replacing at {len(self.strides)} strides leaves nothing of the master's {len(STRIDES)} "
                "maps; name fewer strides, or use the operator concat or gated"
            )
        return self


class RunConfig(Section):
    """One training run: one encoder alone, or a master with an auxiliary."""

    label: str | None = Field(None, description="Name in tables and figures; the run's key when left out.")
    master: str = Field(description="An encoder's key, or a selected role: `master` or `auxiliary`.")
    train_master: bool = Field(True, description="Fine-tune the master (FT); false freezes it (FZ).")
    auxiliary: str | None = Field(
        None, description="An encoder's key or role that is fused in; null for none."
    )
    train_auxiliary: bool = Field(
        False,
        description="Fine-tune the auxiliary too. By default it is frozen, which keeps the features whose "
        "edges were measured; it then runs without gradients and no further than the injection strides need.",
    )
    auxiliary_precision: Literal["same", "bfloat16"] = Field(
        "same",
        description="Precision of a frozen auxiliary: `same` as the rest of the model, or `bfloat16` "
        "(autocast; faster where the device has it, its maps are cast back).",
    )
    fusion: FusionConfig = Field(default_factory=FusionConfig, description="How the auxiliary is fused in.")

    @model_validator(mode="after")
    def _two_encoders(self) -> RunConfig:
        if self.auxiliary is not None and self.auxiliary == self.master:
            raise ValueError(f"master and auxiliary are both {self.master!r}; a fusion needs two encoders")
        if self.train_auxiliary and self.auxiliary is None:
            raise ValueError("train_auxiliary: true, but there is no auxiliary to train; name one")
        if self.auxiliary_precision != "same" and (self.train_auxiliary or self.auxiliary is None):
            raise ValueError(
                f"auxiliary_precision: {self.auxiliary_precision!r} is for a frozen auxiliary; "
                "set training.precision for what is trained"
            )
        return self


class HeadConfig(Section):
    """Mask2Former head (transformers' implementation), trained from scratch."""

    pyramid_channels: tuple[int, int, int, int] = Field(
        (128, 256, 512, 1024),
        strict=False,
        description="Channels that a single-stride encoder is projected to at OS 4, 8, 16, 32.",
    )
    hidden_dim: int = Field(
        256,
        ge=32,
        multiple_of=32,
        description="Width of pixel decoder and transformer decoder (32 normalisation groups).",
    )
    heads: int = Field(8, ge=1, description="Attention heads.")
    pixel_decoder_layers: int = Field(
        6, ge=1, description="Deformable attention layers of the pixel decoder."
    )
    pixel_decoder_feedforward_dim: int = Field(
        1024, ge=16, description="Feed-forward width of the pixel decoder."
    )
    decoder_layers: int = Field(
        9, ge=1, description="Masked-attention decoder layers after the initial prediction."
    )
    feedforward_dim: int = Field(2048, ge=16, description="Feed-forward width of the transformer decoder.")
    queries: int = Field(100, ge=1, description="Object queries.")
    points: int = Field(12544, ge=16, description="Points at which the mask losses are sampled.")
    oversample: float = Field(3.0, ge=1, description="Oversampling ratio of uncertain points.")
    importance: float = Field(0.75, ge=0, le=1, description="Share of the points chosen by uncertainty.")
    class_weight: float = Field(2.0, ge=0, description="Weight of the classification loss.")
    mask_weight: float = Field(5.0, ge=0, description="Weight of the mask cross-entropy.")
    dice_weight: float = Field(5.0, ge=0, description="Weight of the dice loss.")
    no_object_weight: float = Field(0.1, ge=0, description="Class weight of 'no object'.")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> HeadConfig:
        if self.hidden_dim % self.heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} must be a multiple of heads {self.heads}")
        return self


class AugmentationConfig(Section):
    """Training-time augmentation."""

    crop: tuple[int, int] = Field(
        (512, 1024), strict=False, description="[height, width] of a training crop; multiples of 32."
    )
    scales: tuple[float, float] = Field(
        (0.5, 2.0), strict=False, description="[smallest, largest] random scale before cropping."
    )
    flip: bool = Field(True, description="Random horizontal flip.")
    color: bool = Field(True, description="Random brightness, contrast and saturation.")

    @model_validator(mode="after")
    def _sizes(self) -> AugmentationConfig:
        if any(side % 32 or side <= 0 for side in self.crop):
            raise ValueError(
                f"crop {list(self.crop)} must be positive multiples of 32 (the head's coarsest stride)"
            )
        if not 0 < self.scales[0] <= self.scales[1]:
            raise ValueError(f"scales {list(self.scales)} must be positive and in order")
        return self


class TrainingConfig(Section):
    """The training recipe, shared by all runs."""

    task: Literal["panoptic", "semantic"] = Field(
        "panoptic",
        description="Targets: `panoptic` (instances and stuff; gives AP, mIoU and PQ) or `semantic` (mIoU "
        "only).",
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
