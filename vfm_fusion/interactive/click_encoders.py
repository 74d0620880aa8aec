"""What makes features of drawn clicks and the mask before them: one convolution, or a small transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.clicks import ClickModelConfig, SimpleVitConfig
from vfm_fusion.errors import ConfigError, ShapeError

CHANNELS = 3
"""Mask before, positive clicks, negative clicks."""

_PERIOD = 10000.0


class PatchEmbedClicks(nn.Module):
    """``patch_embed``: embeds patches linearly; no norm, no positions.

    Args:
        patch: side of a patch in pixels of the click maps.
        width: C, channels of the result.
    """

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(CHANNELS, width, kernel_size=patch, stride=patch)

    def forward(self, maps: Tensor) -> Tensor:
        """Encodes maps ``(B, 3, h p, w p)`` to ``(B, C, h, w)``."""
        return self.project(maps)


class SimpleVitClicks(nn.Module):
    """``simple_vit``: a transformer on patches with fixed sine positions and without class token.

    Args:
        patch: side of a patch in pixels of the click maps.
        width: C, channels of the result, a multiple of 4.
        config: its other sizes.
    """

    def __init__(self, patch: int, width: int, config: SimpleVitConfig) -> None:
        super().__init__()
        self.patch, self.width = patch, width
        values = patch * patch * CHANNELS
        self.embed = nn.Sequential(nn.LayerNorm(values), nn.Linear(values, width), nn.LayerNorm(width))
        self.blocks = nn.ModuleList(_Block(width, config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        sine_positions((1, 1), width)  # refuses a width that has none

    def forward(self, maps: Tensor) -> Tensor:
        """Encodes maps ``(B, 3, h p, w p)`` to ``(B, C, h, w)``."""
        grid = tuple(side // self.patch for side in maps.shape[-2:])
        cells = maps.unflatten(3, (grid[1], self.patch)).unflatten(2, (grid[0], self.patch))
        patches = cells.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # (B, h w, p p 3)
        tokens = self.embed(patches) + sine_positions(grid, self.width).to(maps)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens).transpose(1, 2).unflatten(2, grid)


class _Block(nn.Module):
    """Attention without biases and an MLP, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, config: SimpleVitConfig) -> None:
        super().__init__()
        self.heads, inner = config.heads, config.heads * config.head_dim
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, config.mlp_dim),
            nn.GELU(),
            nn.Linear(config.mlp_dim, width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Mixes tokens ``(B, N, C)``."""
        parts = self.qkv(self.norm(tokens)).chunk(3, dim=2)
        heads = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)  # (B, heads, N, d)
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(mixed)
        return tokens + self.mlp(tokens)


def sine_positions(grid: tuple[int, int], width: int) -> Tensor:
    """Returns fixed 2-D positions ``(h w, D)``, row by row: [sin x w, cos x w, sin y w, cos y w].

    The frequencies are w_k = 10000^(-k / (D / 4 - 1)), k = 0 .. D / 4 - 1; x counts columns, y rows.

    Raises:
        ShapeError: the width D is no multiple of 4, or less than 8.
    """
    if width % 4 or width < 8:
        raise ShapeError(
            f"2-D sine positions need a width that is a multiple of 4, at least 8; found {width}"
        )
    quarter = width // 4
    frequencies = _PERIOD ** -(torch.arange(quarter) / (quarter - 1))
    y, x = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    angles = [axis.flatten()[:, None] * frequencies for axis in (x, y)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=1)


def build_click_encoder(config: ClickModelConfig, patch: int, width: int) -> nn.Module:
    """Builds the click encoder of a click model.

    Args:
        config: which one.
        patch: side of a patch in pixels of the click maps.
        width: channels where its features are added.

    Raises:
        ConfigError: the width has no sine positions.
    """
    if config.click_encoder == "patch_embed":
        return PatchEmbedClicks(patch, width)
    try:
        return SimpleVitClicks(patch, width, config.simple_vit)
    except ShapeError as error:
        raise ConfigError(f"click_encoder simple_vit: {error}; choose patch_embed") from error
