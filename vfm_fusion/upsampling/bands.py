"""Maps made band by band: the rows of a result that are computed at once, and the rows around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BAND_VALUES = 2**25
"""Values that are alive for one band, about: 128 MiB in float32."""


@dataclass(frozen=True)
class Bands:
    """How many rows are computed at once.

    Attributes:
        rows: so many; None for as many as ``BAND_VALUES`` allow.
        whole: the whole map at once, by operations that autograd and batch statistics can follow.
    """

    rows: int | None = None
    whole: bool = False

    def __call__(
        self,
        band: Callable[[int, int], Tensor],
        height: int,
        row_values: int,
        into: Tensor | None = None,
    ) -> Tensor:
        """Puts a map together from its bands.

        Args:
            band: gives the rows from start to stop - 1, ``(B, C, stop - start, W)``.
            height: rows of the map, H.
            row_values: values that are alive for one row while a band is computed.
            into: ``(B, C, H, W)`` to write to; may be what ``band`` reads, at its own rows only.

        Returns:
            ``(B, C, H, W)``.
        """
        rows = self.count(row_values)
        if self.whole or (rows >= height and into is None):
            return band(0, height)
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            made = band(start, stop)
            if into is None:
                into = made.new_empty((*made.shape[:2], height, made.shape[3]))
            into[:, :, start:stop] = made
            if made.is_meta and start > 0:
                break  # without data, one band is like another
        return into

    def count(self, row_values: int) -> int:
        """Returns how many rows to compute at once, of which each needs ``row_values``."""
        return self.rows or max(1, BAND_VALUES // row_values)


def rows_around(maps: Tensor, start: int, stop: int, halo: int, padding: str) -> Tensor:
    """Returns the rows from ``start - halo`` to ``stop + halo - 1`` of ``(B, C, H, W)``.

    Args:
        maps: ``(B, C, H, W)``.
        start: first row of a band.
        stop: row behind its last.
        halo: rows wanted on either side.
        padding: what lies outside the map: ``zeros``, ``reflect`` (the border row not repeated) or
            ``replicate``.
    """
    first, last, height = start - halo, stop + halo, maps.shape[2]
    if first >= 0 and last <= height:
        return maps[:, :, first:last]
    wanted = torch.arange(first, last, device=maps.device)
    inside = wanted.clamp(0, height - 1)
    if padding == "reflect":
        inside = (height - 1 - (height - 1 - wanted.abs()).abs()).clamp(0, height - 1)
    found = maps.index_select(2, inside)
    return without_outside(found, first, height) if padding == "zeros" else found


def without_outside(band: Tensor, first: int, height: int) -> Tensor:
    """Returns a band ``(B, C, n, W)``, whose first row is ``first``, with zeros outside the map's ``height``.

    So the second of two convolutions with zero padding sees zeros, not what the first made of its padding.
    """
    rows = band.shape[2]
    if first >= 0 and first + rows <= height:
        return band
    position = torch.arange(first, first + rows, device=band.device)
    inside = (position >= 0) & (position < height)
    return band.masked_fill(~inside[:, None], 0)
