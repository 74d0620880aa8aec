"""NAF: attention to the 9 x 9 cells around a pixel, by the image alone (Chambon et al., 2025)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.errors import ShapeError
from vfm_fusion.upsampling.bands import Bands
from vfm_fusion.upsampling.guidance import SEQUENCE_NAMES, WIDTH, GuidanceEncoder, rotated
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released

HEADS, HEAD, WINDOW = 4, 64, 9


class _State(NamedTuple):
    queries: Tensor  # (B, 256, H', W')
    keys: Tensor  # (B, 256, h, w)
    features: Tensor  # (B, C, h, w)


class NAF(BandedUpsampler):
    """Queries and keys are the encoded image with rotary positions, at the result's size and at the map's.

    The window of a pixel is that of its cell, shifted inwards at borders. A quarter of the channels goes with
    each head. The result is a whole number of times the map, and is resized to other sizes. A map of fewer
    than nine rows or columns is seen whole along these.
    """

    facts = Facts(
        TITLES["naf"],
        "Chambon et al., arXiv 2511.18452",
        native="the next whole number of times the map",
        smallest=1,
        released=Released(
            "https://github.com/valeoai/NAF",
            "Apache-2.0",
            names=(
                (r"^image_encoder\.encoder\.", "point."),
                (r"^image_encoder\.sem_encoder\.", "local."),
                (r"^image_encoder\.rope\.periods$", "periods"),
                *SEQUENCE_NAMES,
            ),
        ),
    )

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        if channels % HEADS:
            raise ShapeError(
                f"NAF shares the channels between {HEADS} heads: expected a multiple of {HEADS}, "
                f"found {channels}; take another upsampler"
            )
        self.point = GuidanceEncoder(3, kernel=1, bias=True, residual=False)
        self.local = GuidanceEncoder(3, kernel=3, block_kernel=3, bias=True, residual=False)
        self.register_buffer("periods", 100 ** (torch.arange(HEAD // 4) / (HEAD // 4)))

    def native_size(self, grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """See :meth:`BandedUpsampler.native_size`."""
        return tuple(cells * math.ceil(pixels / cells) for cells, pixels in zip(grid, size, strict=True))

    def notes(self, grid: tuple[int, int], output_size: tuple[int, int]) -> list[str]:
        """See :meth:`Upsampler.notes`."""
        notes = []
        if min(grid) < WINDOW:
            seen = " x ".join(str(min(cells, WINDOW)) for cells in grid)
            notes.append(
                f"NAF's window of {WINDOW} x {WINDOW} cells is cut to {seen} "
                f"on a map of {grid[0]} x {grid[1]}"
            )
        native = self.native_size(grid, output_size)
        if native != tuple(output_size):
            notes.append(f"NAF computes {native[0]} x {native[1]} pixels, which are resized bilinearly")
        return notes

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> _State:
        """See :meth:`BandedUpsampler.prepare`."""
        image = _reduced(image, native).to(features.dtype)
        local = F.adaptive_avg_pool2d(self.local(image, bands), native)
        point = F.adaptive_avg_pool2d(self.point(image, bands), native)
        maps = torch.cat([point, local], dim=1)
        del point, local
        queries = bands(
            lambda start, stop: self._rotated(maps, start, stop),
            native[0],
            6 * len(maps) * 2 * WIDTH * native[1],
            None if bands.whole else maps,
        )
        keys = F.adaptive_avg_pool2d(queries, tuple(features.shape[-2:]))
        return _State(queries, keys, features)

    def _rotated(self, maps: Tensor, start: int, stop: int) -> Tensor:
        height, width = maps.shape[-2:]
        turns = 2 * torch.pi / self.periods.float()[:, None, None]
        row = 2 * (torch.arange(start, stop, device=maps.device) + 0.5) / height - 1
        column = 2 * (torch.arange(width, device=maps.device) + 0.5) / width - 1
        angle = torch.cat(
            [turns * row[:, None].expand(-1, width), turns * column.expand(stop - start, -1)]
        ).repeat(2, 1, 1)  # (64, n, W)
        heads = maps[:, :, start:stop].unflatten(1, (HEADS, HEAD))
        return rotated(heads, angle).flatten(1, 2)

    def rows(self, state: _State, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        times = state.queries.shape[2] // state.features.shape[2]
        parts = []
        for cell in range(start // times, (stop - 1) // times + 1):
            band = slice(max(start, cell * times), min(stop, (cell + 1) * times))
            parts.append(_attended(state, cell, state.queries[:, :, band]))
        return torch.cat(parts, dim=2)

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return 3 * self.channels + 2 * WIDTH + 2 * HEADS * WINDOW**2


def _attended(state: _State, row: int, queries: Tensor) -> Tensor:
    """Returns pixels ``(B, C, n, W)`` of one row of cells, of their queries ``(B, 256, n, W)``."""
    height, width = state.features.shape[-2:]
    rows = slice(*window(row, height))
    starts = [window(column, width)[0] for column in range(width)]
    columns = torch.tensor(starts, device=queries.device)[:, None] + torch.arange(
        min(WINDOW, width), device=queries.device
    )

    def by_cell(maps: Tensor) -> Tensor:  # (B, D, h, w) -> (B, heads, w, D / heads, cells of the window)
        seen = maps[:, :, rows][..., columns]  # (B, D, rows, w, columns)
        return seen.permute(0, 1, 3, 2, 4).flatten(3).unflatten(1, (HEADS, -1)).transpose(2, 3)

    pixels = queries.unflatten(3, (width, -1)).unflatten(1, (HEADS, HEAD))  # (B, heads, 64, n, w, times)
    pixels = pixels.permute(0, 1, 4, 3, 5, 2).flatten(3, 4)  # (B, heads, w, n times, 64)
    weights = (pixels * HEAD**-0.5 @ by_cell(state.keys)).softmax(-1)
    made = by_cell(state.features) @ weights.transpose(-1, -2)  # (B, heads, w, C / heads, n times)
    made = made.unflatten(4, (queries.shape[2], -1)).permute(0, 1, 3, 4, 2, 5)
    return made.flatten(4).flatten(1, 2)


def window(cell: int, cells: int) -> tuple[int, int]:
    """Returns the first cell that a cell's pixels see, and the one behind the last, along one axis."""
    size = min(WINDOW, cells)
    first = min(max(cell - size // 2, 0), cells - size)
    return first, first + size


def _reduced(image: Tensor, native: tuple[int, int]) -> Tensor:
    """Shrinks an image of over four times the result's size, to that at most."""
    height, width = image.shape[-2:]
    if height <= 4 * native[0] and width <= 4 * native[1]:
        return image
    most = 4 * min(native)
    size = (min(height, most), min(width, most))
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)
