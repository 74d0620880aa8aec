"""Resizing in lower precision, as mixed precision hands maps to it."""

from __future__ import annotations

import pytest
import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.sizes import resize_to


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_maps_keep_their_type(dtype: torch.dtype) -> None:
    maps = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)).to(dtype)
    resized = resize_to(maps, (8, 10))
    assert resized.dtype == dtype
    assert torch.equal(resized, resize_to(maps.float(), (8, 10)).to(dtype))
    assert resize_to(maps, (16, 24)) is maps


def test_an_encoder_of_fixed_resolution_runs_in_mixed_precision() -> None:
    config = EncoderConfig.model_validate(
        {"architecture": "mini_hiera", "weights": {"source": "seeded", "seed": 1}, "resolution": 128}
    )
    encoder = build_encoder(config).eval()
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = encoder(images)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = encoder(images)
    for stride, expected in exact.items():
        assert mixed[stride].shape == expected.shape
        torch.testing.assert_close(mixed[stride].float(), expected, atol=0.15, rtol=0.1)
