"""How the cost of a model is measured."""

from __future__ import annotations

from pydantic import Field, field_validator

from vfm_fusion.config.base import Section


class CostConfig(Section):
    """Parameters, operations, speed and memory of every run's model, measured with seeded weights."""

    size: tuple[int, int] | None = Field(
        None,
        strict=False,
        examples=[[512, 1024]],
        description="[height, width] of the image whose inference is measured; multiples of 32. null: the "
        "training crop.",
    )
    repeats: int = Field(
        5,
        ge=1,
        description="Timed forward passes and training steps; the fastest counts, which other jobs on the "
        "machine disturb least.",
    )

    @field_validator("size")
    @classmethod
    def _on_the_grid(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and any(side <= 0 or side % 32 for side in size):
            raise ValueError(f"{list(size)}: expected positive multiples of 32 (the head's coarsest stride)")
        return size
