"""The fusion operator interface: the one slot between two encoders and the mask head."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class FusionOperator(nn.Module, ABC):
    """Merges an auxiliary encoder's maps into the master's pyramid.

    Fusion happens at pyramid level: the master's map at a stride is what the mask head would read without
    fusion (after the 1x1 projection of a single-stride encoder), the auxiliary's map is its native or resized
    feature before any projection. So the head and its recipe stay the same whatever is injected, and what is
    injected is exactly the map whose Edge Fidelity was measured.

    Attributes:
        strides: strides at which the auxiliary's map is read, ascending; the model computes no others.
        channels: output stride -> channels of the fused pyramid.
        replaced: strides at which the master's map is not read; the model need not compute them.
    """

    strides: tuple[int, ...]
    channels: dict[int, int]
    replaced: frozenset[int] = frozenset()

    @abstractmethod
    def forward(self, master: dict[int, Tensor], auxiliary: dict[int, Tensor]) -> dict[int, Tensor]:
        """Fuses two pyramids.

        Args:
            master: ``{stride: (B, C, H/stride, W/stride)}``; may lack the strides in ``replaced``.
            auxiliary: ``{stride: (B, C', h, w)}`` of the same images at ``strides`` or more; grids may differ
                from the master's.

        Returns:
            ``{stride: (B, channels[stride], H/stride, W/stride)}``, strides ascending.
        """
