"""JAFAR: every pixel attends to the whole map (Couairon et al., NeurIPS 2025)."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands, rows_around
from vfm_fusion.upsampling.guidance import SEQUENCE_NAMES, WIDTH, GuidanceEncoder, RotaryPositions
from vfm_fusion.upsampling.head_mean import HEADS, HeadMeanAttention, weighted
from vfm_fusion.upsampling.norms import BandedGroupNorm
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released


class _State(NamedTuple):
    queries: Tensor  # (B, 128, H', W')
    keys: Tensor  # (B, h w, 128)
    features: Tensor  # (B, C, h w)


class JAFAR(BandedUpsampler):
    """Queries from the image; keys from the image, modulated by the features; values are the features."""

    facts = Facts(
        TITLES["jafar"],
        "Couairon et al., NeurIPS 2025",
        native="any",
        per_encoder=True,
        released=Released(
            "https://github.com/PaulCouairon/JAFAR",
            "Apache-2.0",
            entry="jafar",
            names=(
                (r"^(image|query|key)_encoder\.", r"\1."),
                (r"^key_features_encoder\.", "semantic."),
                *SEQUENCE_NAMES,
                (r"^sft_key\.", ""),
                (r"^rope\.", "positions."),
                (r"^cross_decode\.conv2d\.", "smooth."),
                (r"^cross_decode\.cross_attn\.", "attention."),
            ),
        ),
    )

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.image = GuidanceEncoder(3, kernel=1)
        self.query, self.key = (GuidanceEncoder(WIDTH, kernel=1) for _ in range(2))
        self.semantic = GuidanceEncoder(channels, kernel=1)
        self.norm = BandedGroupNorm(8, WIDTH, affine=False)
        self.gamma, self.beta = (nn.Conv2d(WIDTH, WIDTH, kernel_size=1, bias=False) for _ in range(2))
        self.positions = RotaryPositions()
        self.smooth = nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=(0, 1), bias=False)
        self.attention = HeadMeanAttention(channels, value_norm=True)

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> _State:
        """See :meth:`BandedUpsampler.prepare`."""
        encoded = self.positions(self.image(image.to(features.dtype), bands), bands)
        keys = F.adaptive_avg_pool2d(self.key(encoded, bands), tuple(features.shape[-2:]))
        semantic = self.semantic(F.normalize(features.float(), dim=1).to(features.dtype), bands)
        keys = self.gamma(semantic) * self.norm.of(keys, bands)(keys) + self.beta(semantic)
        queries = F.adaptive_avg_pool2d(self.query(encoded, bands), native)
        normed = self.norm.of(queries, bands)
        queries = bands(
            lambda start, stop: normed(queries[:, :, start:stop]),
            native[0],
            3 * len(queries) * WIDTH * native[1],
            None if bands.whole else queries,
        )
        return _State(queries, self.attention.keys(keys), features.flatten(2))

    def rows(self, state: _State, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        queries = self.attention.queries(self.smooth(rows_around(state.queries, start, stop, 1, "zeros")))
        return weighted(state.features, self.attention.weights(queries, state.keys), stop - start)

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return self.channels + 4 * WIDTH + HEADS * grid[0] * grid[1]
