"""Tables and figures."""

from __future__ import annotations

from pydantic import Field

from vfm_fusion.config.base import Section


class ReportingConfig(Section):
    """What the figures show."""

    images: int = Field(3, ge=1, description="Images in the qualitative and PCA figures.")
    shown: tuple[str, ...] | None = Field(
        None,
        strict=False,
        description="Runs that the figures of masks and of training losses show, of many; null: all. Tables "
        "hold every run.",
    )
    dpi: int = Field(200, ge=50, description="Resolution of PNG figures.")
    published: bool = Field(
        True,
        description="Show the paper's published values (Tables 2, 5, 7 and 8) beneath the measured ones.",
    )
