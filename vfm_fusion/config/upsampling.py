"""Upsamplers: which one, with which weights, and how one is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from vfm_fusion.config.augmentation import Range
from vfm_fusion.config.base import Section
from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.config.schedule import PolySchedule, ScheduleConfig

TITLES = {
    "none": "low-res",
    "nearest": "nearest",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "jbu_classic": "JBU (classic)",
    "jbu": "FeatUp (JBU)",
    "lift": "LiFT",
    "loftup": "LoftUp",
    "anyup": "AnyUp",
    "jafar": "JAFAR",
    "naf": "NAF",
    "uplift": "UPLiFT",
}
"""The upsamplers' names in print."""


@dataclass(frozen=True)
class Learned:
    """What the training of an upsampler asks for.

    Attributes:
        part: side of the images that it learns from, over that of the smallest that the encoder is given.
        settings: those of the upsampler.
    """

    part: int
    settings: Mapping[str, bool] = field(default_factory=dict)


LEARNED = {
    "jbu": Learned(1, {"input_norm": True}),
    "lift": Learned(4),
    "loftup": Learned(1),
    "anyup": Learned(2),
    "jafar": Learned(1),
    "naf": Learned(2),
    "uplift": Learned(8),
}
"""The upsamplers that learn."""


class UpsamplerTrainingConfig(Section):
    """The training of one upsampler on the maps of one frozen encoder, by its authors' loss.

    Left out, the sizes are those of LiFT's recipe.
    """

    side: int = Field(
        448,
        ge=32,
        multiple_of=16,
        description="Side in pixels of the square crops that it learns from. Their maps are the target; maps "
        "of the same crops at half the side and less are what is upsampled.",
    )
    stride: int = Field(16, ge=1, description="Stride of the encoder's maps, the nearest one that it has.")
    crop: Range = Field(
        (0.5, 1.0),
        strict=False,
        description="Smallest and largest side of what a crop shows, over the image's shorter side.",
    )
    seed: int = Field(0, ge=0, description="Seed of initial weights, sampling and crops.")
    steps: int = Field(ge=1, description="Optimiser steps.")
    batch_size: int = Field(4, ge=1, description="Images per step.")
    learning_rate: float = Field(
        1.0e-3,
        gt=0,
        description="AdamW's peak learning rate; published: 1e-3 for LiFT and UPLiFT, 2e-4 for JAFAR and "
        "AnyUp.",
    )
    weight_decay: float = Field(
        0.0, ge=0, description="AdamW's weight decay (none on norms and biases); published: 1e-5 for AnyUp."
    )
    warmup_steps: int = Field(0, ge=0, description="Linear warm-up steps.")
    schedule: ScheduleConfig = Field(
        default_factory=PolySchedule, description="How the learning rate falls after the warm-up."
    )
    clip_norm: float = Field(1.0, gt=0, description="Gradient clipping.")
    workers: int = Field(
        0, ge=0, description="Data-loader processes; a training job takes one thread more than that."
    )
    checkpoint_every: int = Field(500, ge=1, description="Steps between checkpoints.")
    log_every: int = Field(20, ge=1, description="Steps between lines of metrics.csv.")

    @model_validator(mode="after")
    def _crops_lie_in_the_image(self) -> UpsamplerTrainingConfig:
        if self.crop[1] > 1:
            raise ValueError(f"crop: {list(self.crop)} are shares of the image's shorter side, 1 at most")
        return self


class UpsamplerFile(Section):
    """Weights from a file: its authors', or those of an upsampler that was trained here."""

    source: Literal["file"] = Field(description="A local weight file (safetensors, or a torch archive).")
    path: str = Field(
        description="Path of the file; environment variables are expanded, and `{encoder}` is the name of "
        "the encoder whose maps are upsampled, where each has weights of its own."
    )
    sha256: str | None = Field(None, description="Checksum that the file must have.")


class UpsamplerTrained(Section):
    """Weights that the workflow trains (rule `pretrain_upsampler`), for every encoder it is used with."""

    source: Literal["trained"] = Field(description="Trained by the workflow, once for each encoder.")
    dataset: str = Field(description="The data set whose training images it learns from, without labels.")
    recipe: UpsamplerTrainingConfig = Field(description="How it is trained.")
    shipped_for: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Encoders for which the target `pretrain_upsamplers` trains it and puts it into "
        "resources/upsamplers/.",
    )


class UpsamplerConfig(Section):
    """An upsampler of maps."""

    label: str | None = Field(None, description="Name in tables and figures; null: its title.")
    architecture: Literal[*UPSAMPLERS] = Field(description="Name in the registry of upsamplers.")
    settings: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="What its class takes besides (docs/upsampling.md)."
    )
    weights: Annotated[UpsamplerFile | UpsamplerTrained, Field(discriminator="source")] | None = Field(
        None, description="Weights of a learned one; null for those that do not learn."
    )

    @model_validator(mode="after")
    def _what_learns_has_weights(self) -> UpsamplerConfig:
        if self.architecture in LEARNED and self.weights is None:
            raise ValueError(
                f"{self.architecture} learns, so it needs weights: {{source: file, path: ...}}, or "
                "{source: trained, dataset: ..., recipe: ...}"
            )
        if self.architecture not in LEARNED and self.weights is not None:
            raise ValueError(f"{self.architecture} does not learn; leave out its weights")
        given, needed = self.settings, self.class_settings
        odd = [key for key, value in given.items() if value != needed[key]]
        if odd:
            raise ValueError(
                f"settings.{odd[0]} is {given[odd[0]]}, but a {self.architecture} that is trained here has "
                f"{needed[odd[0]]}; leave it out"
            )
        return self

    @property
    def title(self) -> str:
        """Its name in print."""
        return self.label or TITLES[self.architecture]

    @property
    def class_settings(self) -> dict[str, Any]:
        """What its class takes besides: the settings, and what one that is trained here is trained with."""
        if not isinstance(self.weights, UpsamplerTrained):
            return self.settings
        return {**self.settings, **LEARNED[self.architecture].settings}
