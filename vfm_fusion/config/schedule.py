"""How the learning rate falls."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from vfm_fusion.config.base import Section


class PolySchedule(Section):
    """The rate falls polynomially to 0 at the last step."""

    kind: Literal["poly"] = Field(
        "poly", description="The rate falls polynomially to 0 at the last step (Cityscapes, ADE20K)."
    )
    power: float = Field(0.9, gt=0, description="Power of the decay.")


class MultistepSchedule(Section):
    """The rate falls by a factor at each of a few steps."""

    kind: Literal["multistep"] = Field(
        "multistep", description="The rate falls by a factor at each of a few steps (COCO)."
    )
    milestones: tuple[int, ...] = Field(
        (327_778, 355_092), strict=False, min_length=1, description="Optimiser steps after which it falls."
    )
    factor: float = Field(0.1, gt=0, lt=1, description="What the rate is multiplied by at each of them.")

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if milestones[0] < 1 or any(b <= a for a, b in pairwise(milestones)):
            raise ValueError(f"{list(milestones)} do not ascend from 1; list each step once, in order")
        return milestones


ScheduleConfig = Annotated[PolySchedule | MultistepSchedule, Field(discriminator="kind")]
