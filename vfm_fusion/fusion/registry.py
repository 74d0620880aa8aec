"""The fusion operators that a configuration can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vfm_fusion.config.runs import FusionConfig
from vfm_fusion.fusion.base import FusionOperator
from vfm_fusion.fusion.concat import Concat
from vfm_fusion.fusion.gated import Gated
from vfm_fusion.fusion.injection import Injection
from vfm_fusion.fusion.replace import Replace

OPERATORS: dict[str, type[Injection]] = {"replace": Replace, "concat": Concat, "gated": Gated}
"""Every operator by the name it has in the configuration."""


def build_fusion(
    config: FusionConfig, strides: Sequence[int], master: Mapping[int, int], auxiliary: Mapping[int, int]
) -> FusionOperator:
    """Builds the configured operator.

    Args:
        config: which operator, which channel alignment.
        strides: injection strides, already resolved.
        master: output stride -> channels of the master's pyramid.
        auxiliary: output stride -> channels of the auxiliary's pyramid.

    Raises:
        ShapeError: the operator cannot inject at these strides.
    """
    return OPERATORS[config.operator](master, auxiliary, strides, config.align)
