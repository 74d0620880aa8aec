"""What every configuration section shares."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

STRIDES: tuple[int, ...] = (4, 8, 16, 32)
"""Output strides (OS) of the pyramid that the metrics profile and the mask head reads."""


class Section(BaseModel):
    """A configuration section: unknown keys are errors, values are immutable and never coerced.

    ``strict`` refuses what YAML misreads, such as ``1e-4`` (a string in YAML 1.1; write ``1.0e-4``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def canonical(section: Any) -> str:
    """One canonical JSON string for a section or plain data: sorted keys, no spaces.

    Snakemake compares params as a bag of values; one string per rule makes that comparison exact.
    """
    data = section.model_dump(mode="json") if hasattr(section, "model_dump") else section
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
