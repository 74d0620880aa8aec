"""Training-time augmentation."""

from __future__ import annotations

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section


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
