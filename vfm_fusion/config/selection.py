"""Choice of the encoder pair and the injection stride."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.registries import RULES

PEAK = "peak"
"""The paper's rule."""


class SelectionConfig(Section):
    """How master, auxiliary and injection stride are chosen (paper, Sec. 3.3)."""

    definition: str = Field(
        "paper",
        description="Metric definition, one of `metrics.definitions`, whose scores pair the encoders.",
    )
    among: tuple[str, ...] | None = Field(
        None,
        strict=False,
        examples=[["dinov3", "sam2"]],
        description="Encoders that the pair is chosen among, when others are profiled too (of another scale, "
        "say); null: all.",
    )
    task: Literal["semantic", "edge"] = Field(
        "semantic",
        description="`semantic`: the master has the highest SC and the auxiliary the highest EF; `edge`: "
        "the other way round. It says which score leads the pair, not which task the runs learn "
        "(`training.task`).",
    )
    stride_by: Literal["ef", "sc"] = Field(
        "ef", description="Score of the auxiliary whose peak over the strides is s* (Eq. 9: ef)."
    )
    rule: Literal[PEAK, *RULES] = Field(
        PEAK,
        description="What sets the injection stride. `peak`: where the auxiliary's own `stride_by` is "
        "highest (the paper). Otherwise where another score that needs no labels is highest: "
        "`ef_above_null`, its EF minus the null floor; `ef_lead` and `sc_lead`, its EF or SC minus the "
        "master's; `rankme`, the effective rank of its map; `unlikeness`, 1 - CKA of the maps of both; "
        "`ef_times_unlikeness` and `rankme_times_unlikeness`, the products. The table of predictors says how "
        "each has done.",
    )

    @model_validator(mode="after")
    def _one_criterion(self) -> SelectionConfig:
        if self.rule != PEAK and self.stride_by != "ef":
            raise ValueError(
                f"stride_by: {self.stride_by!r} is of rule {PEAK!r}, but rule is {self.rule!r}; leave one out"
            )
        return self
