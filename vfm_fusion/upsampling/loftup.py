"""LoftUp: every pixel attends twice to the whole map, by the Fourier features of its colour and place.

Huang et al., ICCV 2025.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands, rows_around, without_outside
from vfm_fusion.upsampling.norms import ChannelNorm
from vfm_fusion.upsampling.resampling import resize_guidance
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released

HEADS, LAYERS = 4, 2
FINE, COARSE = 20, 5
"""Frequencies of the image's pixels and of the map's cells."""
PLACES = 2 * 2 * COARSE
"""Channels of a cell's place."""
COLORS = 2 * 5 * FINE + 3
"""Channels of a pixel: sines and cosines of its place and colour, and the colour."""


class CrossAttention(nn.Module):
    """A layer of attention of pixels to cells and the perceptron behind it, each added to its input."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm_q, self.norm_kv = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, HEADS)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    def cells(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Returns keys and values of cells ``(B, M, D)``, each ``(B, heads, M, D / heads)``."""
        normed = self.norm_kv(tokens)
        return self._heads(normed, 1), self._heads(normed, 2)

    def forward(self, pixels: Tensor, cells: tuple[Tensor, Tensor]) -> Tensor:
        """Changes pixels ``(B, N, D)`` by what they see in cells."""
        seen = F.scaled_dot_product_attention(self._heads(self.norm_q(pixels), 0), *cells)
        pixels = pixels + self.attention.out_proj(seen.transpose(1, 2).flatten(2))
        return pixels + self.feed(pixels)

    def _heads(self, tokens: Tensor, part: int) -> Tensor:
        weight, bias = (
            both.chunk(3)[part] for both in (self.attention.in_proj_weight, self.attention.in_proj_bias)
        )
        return F.linear(tokens, weight, bias).unflatten(-1, (HEADS, -1)).transpose(1, 2)


class _State(NamedTuple):
    colors: Tensor  # (B, 3, H, W)
    cells: list[tuple[Tensor, Tensor]]  # keys and values of every layer


class LoftUp(BandedUpsampler):
    """Any size: the image is brought to it, and every pixel of it is a query.

    Attributes:
        batch_range: whether a colour's range is that of all images of the batch, as in the released code, so
            that the other images of a batch change the result. False (the default): of its own image.
    """

    facts = Facts(
        TITLES["loftup"],
        "Huang et al., ICCV 2025",
        native="any",
        per_encoder=True,
        released=Released(
            "https://github.com/andrehuang/loftup",
            "MIT",
            names=(
                (r"^(model\.1|channelnorm)\.norm\.", "norm."),
                (r"^upsampler\.fourier_feat\.1\.biases$", "phases"),
                (r"^upsampler\.lr_pe\.biases$", "place_phases"),
                (r"^upsampler\.first_conv\.0\.norm\.", "color_norm."),
                (r"^upsampler\.first_conv\.1\.", "first.0."),
                (r"^upsampler\.first_conv\.2\.", "first.1."),
                (r"^upsampler\.first_conv\.4\.", "second.0."),
                (r"^upsampler\.first_conv\.5\.", "second.1."),
                (r"^upsampler\.ca_transformer\.norm\.", "last_norm."),
                (r"^upsampler\.ca_transformer\.layers\.(\d)\.0\.", r"layers.\1."),
                (r"^upsampler\.ca_transformer\.layers\.(\d)\.1\.net\.([01])\.", r"layers.\1.feed.\2."),
                (r"^upsampler\.ca_transformer\.layers\.(\d)\.1\.net\.4\.", r"layers.\1.feed.3."),
                (r"^upsampler\.final_conv\.", "narrow."),
            ),
            skipped=("model.0.*",),
        ),
    )

    def __init__(self, channels: int, batch_range: bool = False) -> None:
        super().__init__(channels)
        self.batch_range, width = batch_range, channels + PLACES
        self.norm = ChannelNorm(channels)
        self.phases = nn.Parameter(torch.randn(2, 5, FINE))
        self.place_phases = nn.Parameter(torch.randn(2, 2, COARSE))
        self.color_norm = ChannelNorm(COLORS)
        self.first, self.second = _smooth(COLORS, width), _smooth(width, width)
        self.layers = nn.ModuleList(CrossAttention(width, channels) for _ in range(LAYERS))
        self.last_norm = nn.LayerNorm(width)
        self.narrow = nn.Sequential(nn.Conv2d(width, channels, 1), ChannelNorm(channels, eps=1e-6))

    def guidance(self, image: Tensor, native: tuple[int, int]) -> Tensor:
        """See :meth:`BandedUpsampler.guidance`: colours in [-.5, .5]."""
        image = resize_guidance(image, native)
        over = (0, 2, 3) if self.batch_range else (2, 3)
        low, high = image.amin(over, keepdim=True), image.amax(over, keepdim=True)
        return (image - low) / (high - low).clamp(min=1e-4) - 0.5

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> _State:
        """See :meth:`BandedUpsampler.prepare`."""
        places = _places(*features.shape[-2:], features.device).expand(len(features), -1, -1, -1)
        places = fourier(places, self.place_phases).to(features.dtype)
        tokens = torch.cat([self.norm(features), places], dim=1).flatten(2).transpose(1, 2)
        return _State(image, [layer.cells(tokens) for layer in self.layers])

    def rows(self, state: _State, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        maps, height = self._pixels(state.colors, start - 2, stop + 2), state.colors.shape[2]
        maps = self.first(without_outside(maps, start - 2, height))
        maps = self.second(without_outside(maps, start - 1, height))
        pixels = maps.flatten(2).transpose(1, 2)
        for layer, cells in zip(self.layers, state.cells, strict=True):
            pixels = layer(pixels, cells)
        maps = self.last_norm(pixels).transpose(1, 2).unflatten(2, (stop - start, -1))
        return self.narrow(maps)

    def _pixels(self, colors: Tensor, start: int, stop: int) -> Tensor:
        """Returns what is known of some rows' pixels, ``(B, 203, n, W)``; anything outside the image."""
        places = _places(*colors.shape[-2:], colors.device).expand(len(colors), -1, -1, -1)
        known = torch.cat(
            [rows_around(maps, start, stop, 0, "replicate") for maps in (places, colors)], dim=1
        )
        waves = torch.cat([fourier(known, self.phases), known[:, 2:]], dim=1)
        return self.color_norm(waves.to(self.phases.dtype))

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return 3 * COLORS + 6 * (self.channels + PLACES)


def fourier(values: Tensor, phases: Tensor) -> Tensor:
    """Returns sines and cosines of values, in float32.

    Args:
        values: ``(B, V, n, W)``.
        phases: of the sines and the cosines, ``(2, V, frequencies)``. The memory of either is read as
            ``(frequencies, V)``, as in the released code.

    Returns:
        ``(B, 2 * frequencies * V, n, W)``: all sines, then all cosines, frequency by frequency.
    """
    count = phases.shape[2]
    frequencies = torch.linspace(-2, 10, count, device=values.device).exp()
    turns = values.float()[:, None] * frequencies[:, None, None, None]  # (B, frequencies, V, n, W)
    sine, cosine = phases.float().reshape(2, count, -1, 1, 1)
    return torch.cat([(turns + sine).sin().flatten(1, 2), (turns + cosine).cos().flatten(1, 2)], dim=1)


def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Row and column of every pixel, both in [-1, 1], ``(1, 2, H, W)``."""
    row, column = (torch.linspace(-1, 1, size, device=device) for size in (height, width))
    return torch.stack([row[:, None].expand(-1, width), column.expand(height, -1)])[None]


def _smooth(channels_in: int, channels_out: int) -> nn.Sequential:
    """A convolution that takes a row on either side from its input, with its norm."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=(0, 1))
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())
