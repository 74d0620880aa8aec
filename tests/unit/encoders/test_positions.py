"""How position embeddings are resized: as the authors' code does it, or as it is set."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from encoder_zoo import TINY, seeded
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.encoders.build import build_encoder, build_token_encoder
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.timm_models import offset_positions


@pytest.fixture(autouse=True)
def zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in TINY:
        monkeypatch.setitem(ARCHITECTURES, spec.architecture, spec)


def dinov2s_own(pos_embed: Tensor, height: int, width: int, patch: int = 14) -> Tensor:
    """``interpolate_pos_encoding`` of dinov2's ``vision_transformer.py`` with ``interpolate_offset`` .1.

    Written after it line by line, for an image of ``height`` x ``width`` pixels.
    """
    trained = pos_embed.shape[1] - 1
    rows, columns, side = height // patch, width // patch, int(trained**0.5)
    if rows * columns == trained and height == width:
        return pos_embed
    of_class, of_patches = pos_embed[:, :1], pos_embed[:, 1:]
    resized = F.interpolate(
        of_patches.reshape(1, side, side, -1).permute(0, 3, 1, 2),
        mode="bicubic",
        antialias=False,
        scale_factor=(float(rows + 0.1) / side, float(columns + 0.1) / side),
    )
    assert resized.shape[-2:] == (rows, columns)
    return torch.cat((of_class, resized.permute(0, 2, 3, 1).flatten(1, 2)), dim=1)


@pytest.mark.parametrize("size", [(224, 224), (98, 700), (518, 518), (14, 14), (14, 1022)])
def test_the_offset_is_that_of_dinov2s_code(size: tuple[int, int]) -> None:
    pos_embed = torch.randn(1, 1 + 37 * 37, 8, generator=torch.Generator().manual_seed(0))
    grid = (size[0] // 14, size[1] // 14)
    found = offset_positions(pos_embed[:, 1:], (37, 37), grid)
    torch.testing.assert_close(found, dinov2s_own(pos_embed, *size)[:, 1:], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("tiny_dinov2_vitb14", "offset"),
        ("tiny_dinov2_vits14_reg", "antialiased"),
        ("tiny_clip_vitb16", "antialiased"),
        ("tiny_siglip2_vitb16", "antialiased"),
        ("tiny_c_radio_v3_b", "antialiased"),
        ("mini_vit", "antialiased"),
    ],
)
def test_tokens_get_the_positions_that_are_set(name: str, own: str) -> None:
    """Against timm's own walk, given a position embedding that needs no resizing any more."""
    assert build_encoder(seeded(name)).positions == own
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    by_default = build_token_encoder(seeded(name)).start(images).tokens
    states = {way: build_token_encoder(seeded(name, positions=way)) for way in ("offset", "antialiased")}
    found = {way: encoder.start(images).tokens for way, encoder in states.items()}
    assert torch.equal(found[own], by_default)
    assert not torch.allclose(found["offset"], found["antialiased"], atol=1e-3)
    model = states["offset"].model
    patches = states["offset"].patchify(states["offset"].normalise(images))
    count = 0 if model.no_embed_class else model.num_prefix_tokens
    with torch.no_grad():
        prefix = model.pos_embed[:, :count] if count else model.pos_embed.new_zeros(1, 1, 48)[:, :0]
        resized = offset_positions(model.pos_embed[:, count:], model.patch_embed.grid_size, patches.grid)
        model.pos_embed = torch.nn.Parameter(torch.cat((prefix.expand(1, -1, resized.shape[2]), resized), 1))
        model.patch_embed.grid_size = patches.grid
        expected = model.norm_pre(model._pos_embed(patches.tokens.unflatten(1, patches.grid)))
    torch.testing.assert_close(found["offset"], expected, rtol=0, atol=0)


@pytest.mark.realdata
def test_real_dinov2_sees_noise_as_its_authors_code_does(realdata: Path) -> None:
    """With its own weights the two ways differ by tenths on noise at 224 pixels; not at the trained size."""
    path = realdata / "weights" / "vit_small_patch14_dinov2.fp16.safetensors"
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    maps = {}
    for way in (None, "offset", "antialiased"):
        weights = FileWeights(source="file", path=str(path))
        config = EncoderConfig(architecture="dinov2_vits14", weights=weights, positions=way)
        with torch.inference_mode():
            maps[way] = build_encoder(config)(noise)[16]
    assert torch.equal(maps[None], maps["offset"])
    assert (maps["offset"] - maps["antialiased"]).abs().max() > 0.2
