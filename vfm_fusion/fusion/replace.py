"""Replacement at one stride (paper, Sec. 3.3, Eq. 9)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vfm_fusion.errors import ShapeError
from vfm_fusion.fusion.align import align_channels, resize_to_grid
from vfm_fusion.fusion.base import FusionOperator


class Replace(FusionOperator):
    """``F^(s) = aligned F_aux^(s)`` if ``s = s*``, else ``F_master^(s)``."""

    def __init__(
        self, master: Mapping[int, int], auxiliary: Mapping[int, int], stride: int, align: str
    ) -> None:
        """Builds the operator.

        Args:
            master: output stride -> channels of the master's pyramid.
            auxiliary: output stride -> channels of the auxiliary's pyramid.
            stride: injection stride s*.
            align: channel alignment, ``sample`` or ``project``.

        Raises:
            ShapeError: one of the pyramids has no map at ``stride``.
        """
        super().__init__()
        for role, channels in (("master", master), ("auxiliary", auxiliary)):
            if stride not in channels:
                raise ShapeError(
                    f"injection stride {stride}: the {role}'s pyramid has strides {sorted(channels)}"
                )
        self.stride = stride
        self.channels = dict(sorted(master.items()))
        self.replaced = frozenset({stride})
        self.align = align_channels(align, auxiliary[stride], master[stride])

    def forward(self, master: dict[int, Tensor], auxiliary: dict[int, Tensor]) -> dict[int, Tensor]:
        """See :meth:`FusionOperator.forward`."""
        injected = resize_to_grid(auxiliary[self.stride], self._grid(master))
        fused = {**master, self.stride: self.align(injected)}
        return dict(sorted(fused.items()))

    def _grid(self, master: dict[int, Tensor]) -> tuple[int, int]:
        stride, feature = max(master.items())
        height, width = feature.shape[-2:]
        return height * stride // self.stride, width * stride // self.stride
