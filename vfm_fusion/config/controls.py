"""How metric definitions are checked on feature maps whose answer is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import Field

from vfm_fusion.config.base import Section
from vfm_fusion.config.metrics import MetricConfig, PresetName

_FREE_GRID = ("paper", "calibrated")
"""Presets whose grid an experiment sets to suit its image size; the others are the released code's."""


class ControlsConfig(Section):
    """Which images the controls are made from, the maps that a definition has to rank right."""

    images: int | None = Field(
        8, ge=1, description="Images, evenly spaced in the profiled split, with controls; null: all."
    )


def controlled_definitions(definitions: Mapping[str, MetricConfig], selected: str) -> dict[str, MetricConfig]:
    """Returns the definitions that controls are scored by: every preset, then the others that are configured.

    A preset that is not configured under its own name has its own settings, but for the ``grid`` of ``paper``
    and ``calibrated``: it has to suit the size of the images, so it is that of the selected definition.

    Args:
        definitions: the configured ones, by name.
        selected: name of the one that pairs encoders.
    """
    grid = definitions[selected].grid
    presets = {
        name: definitions[name]
        if name in definitions
        else MetricConfig.of(name, **({"grid": grid} if name in _FREE_GRID else {}))
        for name in get_args(PresetName)
    }
    return presets | dict(definitions)
