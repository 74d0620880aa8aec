"""What the heavy stages of an experiment are computed on."""

from __future__ import annotations

from pydantic import Field

from vfm_fusion.config.base import Section


class ComputeConfig(Section):
    """Whether the experiment is made for GPUs; results on a CPU are the same but for rounding."""

    gpu: bool = Field(
        False,
        description="Whether feature extraction, training (on `training.devices` of them), prediction and "
        "the measurement of cost ask for a GPU. A real run on a machine or a cluster without one is then "
        "refused before its first job; false computes on a GPU only where one happens to be there.",
    )
