"""Recipes: what a group of runs does otherwise than the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, field_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.merge import deep_merge

SectionT = TypeVar("SectionT", bound=Section)


class RecipeConfig(Section):
    """What the runs of one data set and task do otherwise than `training` and `evaluation` say."""

    training: dict[str, Any] = Field(
        default_factory=dict,
        description="Any keys of `training` but `seeds`, laid over those given there: `{steps: 160000, "
        "augmentation: {crop: [640, 640]}}`.",
    )
    evaluation: dict[str, Any] = Field(
        default_factory=dict, description="Any keys of `evaluation`, laid over those given there."
    )

    @field_validator("training")
    @classmethod
    def _seeds_are_shared(cls, training: dict[str, Any]) -> dict[str, Any]:
        if "seeds" in training:
            raise ValueError("seeds are those of all runs; set training.seeds outside the recipes")
        return training


def overlaid(section: SectionT, changes: Mapping[str, Any]) -> SectionT:
    """Returns a section with some of its keys changed, at any depth.

    Raises:
        ValidationError: an unknown key or an impossible value.
    """
    if not changes:
        return section
    return type(section).model_validate(deep_merge(section.model_dump(mode="json"), changes))
