"""Choice of the encoder pair and the injection stride."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vfm_fusion.config.base import Section


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
