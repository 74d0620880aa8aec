"""How every pair of encoders is compared, before anything is trained."""

from __future__ import annotations

from pydantic import Field

from vfm_fusion.config.base import Section


class PairsConfig(Section):
    """What the maps of two encoders are compared on, and the linear probe of what fusion makes of them."""

    images: int | None = Field(
        64,
        ge=2,
        description="Images, evenly spaced among the profiled ones, that pairs are compared on; null: all.",
    )
    labelled: int = Field(
        16,
        ge=1,
        description="Images among them, drawn at random, whose labels the linear probe learns from, at most "
        "half of them; it is scored on the others.",
    )
    pixels: int = Field(
        4096,
        ge=64,
        description="Pixels that are drawn at random from each image; all of them where it has fewer.",
    )
    ridge: float = Field(
        0.01,
        gt=0,
        description="Ridge strength of the linear probe, relative to the mean variance of a channel: 1 for "
        "standardised channels.",
    )
