"""The fusion operator interface: the one slot between two encoders and the mask head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from vfm_fusion.errors import ShapeError
from vfm_fusion.fusion.align import align_channels, resize_to_grid


class FusionOperator(nn.Module, ABC):
    """Merges an auxiliary encoder's maps into the master's pyramid.

    Fusion happens at pyramid level: the master's map at a stride is what the mask head would read without
    fusion (after the 1x1 projection of a single-stride encoder), the auxiliary's map is its native or resized
    feature before any projection. So the head and its recipe stay the same whatever is injected, and what is
    injected is exactly the map whose Edge Fidelity was measured, unless the run upsamples it.

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


class Injection(FusionOperator):
    """Brings the auxiliary's map to the master's grid and channels at every injection stride, then combines.

    Attributes:
        align: injection stride (as text) -> channel alignment.
    """

    def __init__(
        self, master: Mapping[int, int], auxiliary: Mapping[int, int], strides: Sequence[int], align: str
    ) -> None:
        """Builds the alignments.

        Args:
            master: output stride -> channels of the master's pyramid.
            auxiliary: output stride -> channels of the auxiliary's pyramid.
            strides: injection strides.
            align: channel alignment, ``sample`` or ``project``.

        Raises:
            ShapeError: no stride, one stride twice, or one of the pyramids has no map at a stride.
        """
        super().__init__()
        if not strides or len(set(strides)) < len(strides):
            raise ShapeError(f"injection strides {list(strides)}: expected one or several, each once")
        for stride in strides:
            for role, channels in (("master", master), ("auxiliary", auxiliary)):
                if stride not in channels:
                    raise ShapeError(
                        f"injection stride {stride}: the {role}'s pyramid has strides {sorted(channels)}"
                    )
        self.strides = tuple(sorted(strides))
        self.channels = dict(sorted(master.items()))
        self.align = nn.ModuleDict(
            {str(s): align_channels(align, auxiliary[s], master[s]) for s in self.strides}
        )

    def forward(self, master: dict[int, Tensor], auxiliary: dict[int, Tensor]) -> dict[int, Tensor]:
        """See :meth:`FusionOperator.forward`."""
        fused = dict(master)
        for stride in self.strides:
            injected = resize_to_grid(auxiliary[stride], _grid(master, stride))
            fused[stride] = self.combine(stride, master.get(stride), self.align[str(stride)](injected))
        return dict(sorted(fused.items()))

    @abstractmethod
    def combine(self, stride: int, master: Tensor | None, injected: Tensor) -> Tensor:
        """Combines the maps of one stride.

        Args:
            stride: the injection stride.
            master: ``(B, C, h, w)``; None or of no consequence at a stride in ``replaced``.
            injected: the auxiliary's map, aligned, ``(B, C, h, w)``.

        Returns:
            ``(B, C, h, w)``.
        """


def _grid(master: Mapping[int, Tensor], stride: int) -> tuple[int, int]:
    """Grid of the master's pyramid at a stride at which it may have no map."""
    coarsest, feature = max(master.items())
    height, width = feature.shape[-2:]
    return height * coarsest // stride, width * coarsest // stride
