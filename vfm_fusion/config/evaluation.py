"""Inference and evaluation of trained runs."""

from __future__ import annotations

from pydantic import Field

from vfm_fusion.config.base import Section


class EvaluationConfig(Section):
    """Mask2Former inference settings."""

    batch_size: int = Field(1, ge=1, description="Images per forward pass.")
    top_instances: int = Field(100, ge=1, description="Most confident instances kept per image.")
    object_score: float = Field(
        0.8, ge=0, le=1, description="Panoptic: queries below this class score are dropped."
    )
    overlap: float = Field(
        0.8, ge=0, le=1, description="Panoptic: share of a mask that must survive overlaps."
    )
    max_images: int | None = Field(
        None,
        ge=1,
        description="Evaluate an evenly spaced subset of this many images; null takes the whole split.",
    )
