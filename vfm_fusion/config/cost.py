"""How the cost of a model is measured."""

from __future__ import annotations

from pydantic import Field, field_validator

from vfm_fusion.config.base import Section

FREE_OF_COST = frozenset(
    {"seeds", "steps", "learning_rate", "weight_decay", "encoder_lr_multiplier", "warmup_steps", "schedule"}
    | {"clip_norm", "workers", "checkpoint_every", "log_every", "augmentation", "cached_views"}
)
"""Settings of a recipe that a step of it costs the same with (but for the crop that is in `augmentation`)."""


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
        5, ge=1, description="Timed forward passes and training steps of a model in one turn."
    )
    rounds: int = Field(
        6,
        ge=2,
        description="Models take turns, each in a process of its own: two, and as many more, up to this "
        "number, as its times scatter.",
    )
    spread: float = Field(
        0.05,
        gt=0,
        description="Spread of a model's times that ends its turns: the middle half of all of them "
        "(interquartile range) over their median. The cost table names what scatters more after the last "
        "turn.",
    )

    @field_validator("size")
    @classmethod
    def _on_the_grid(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and any(side <= 0 or side % 32 for side in size):
            raise ValueError(f"{list(size)}: expected positive multiples of 32 (the head's coarsest stride)")
        return size
