"""Images as their encoders have seen them: what frozen encoders leave to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Maps = dict[int, Tensor]
"""Output stride -> ``(B, C, h, w)``."""


@dataclass(frozen=True)
class Encoded:
    """The native maps of a batch of images of one size.

    Attributes:
        size: (H, W) of the images in pixels.
        master: native maps of the master at the strides that the model reads of it.
        auxiliary: those of the auxiliary; None without one.
        images: the images ``(B, 3, H, W)``, as of :func:`as_floats`; None where no upsampler reads them.
    """

    size: tuple[int, int]
    master: Maps
    auxiliary: Maps | None = None
    images: Tensor | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(next(iter(self.master.values())))

    def to(self, device: torch.device) -> Encoded:
        """Moves the maps to a device; from page-locked memory while the program goes on."""
        moved = self._map(lambda maps: maps.to(device, non_blocking=maps.is_pinned()))
        return moved if moved.images is None else replace(moved, images=as_floats(moved.images))

    def pin_memory(self) -> Encoded:
        """Copies everything to page-locked memory, from where a GPU fetches them on its own."""
        return self._map(Tensor.pin_memory)

    def contiguous(self) -> Encoded:
        """Lays every map out channel by channel, row by row."""
        return self._map(Tensor.contiguous)

    def __getitem__(self, images: slice) -> Encoded:
        """What belongs to some of the images."""
        return self._map(lambda maps: maps[images])

    def _map(self, function: Callable[[Tensor], Tensor]) -> Encoded:
        auxiliary = None if self.auxiliary is None else _mapped(function, self.auxiliary)
        images = None if self.images is None else function(self.images)
        return Encoded(self.size, _mapped(function, self.master), auxiliary, images)


def stack(encoded: Sequence[Encoded]) -> Encoded:
    """Joins batches of images of one size."""
    first = encoded[0]
    auxiliary = None if first.auxiliary is None else _joined([single.auxiliary for single in encoded])
    images = None if first.images is None else torch.cat([single.images for single in encoded])
    return Encoded(first.size, _joined([single.master for single in encoded]), auxiliary, images)


def as_floats(images: Tensor) -> Tensor:
    """Brings images ``(B, 3, H, W)``, bytes as they are loaded or floats in [0, 1], to such floats."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _mapped(function: Callable[[Tensor], Tensor], maps: Maps) -> Maps:
    return {stride: function(feature) for stride, feature in maps.items()}


def _joined(maps: Sequence[Maps]) -> Maps:
    return {stride: torch.cat([single[stride] for single in maps]) for stride in maps[0]}
