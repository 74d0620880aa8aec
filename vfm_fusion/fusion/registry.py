"""The fusion operators that a configuration can name."""

from __future__ import annotations

from collections.abc import Mapping

from vfm_fusion.config.training import FusionConfig
from vfm_fusion.fusion.base import FusionOperator
from vfm_fusion.fusion.replace import Replace

OPERATORS: dict[str, type[FusionOperator]] = {"replace": Replace}
"""Every operator by the name it has in the configuration."""


def build_fusion(
    config: FusionConfig, stride: int, master: Mapping[int, int], auxiliary: Mapping[int, int]
) -> FusionOperator:
    """Builds the configured operator.

    Args:
        config: which operator, which channel alignment.
        stride: injection stride s*, already resolved.
        master: output stride -> channels of the master's pyramid.
        auxiliary: output stride -> channels of the auxiliary's pyramid.
    """
    return OPERATORS[config.operator](master, auxiliary, stride, config.align)
