"""Click models around every encoder of the registry at full size: shapes and parameters, no numbers."""

from __future__ import annotations

import pytest
import torch
from interactive_toys import bilinear

from vfm_fusion.config.clicks import ClickModelConfig, SimpleVitConfig
from vfm_fusion.config.registries import FAMILIES
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ConfigError
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.loading import load

STRIDE = 16


def built(spec: EncoderSpec) -> Encoder:
    encoder = load(FAMILIES[spec.family])(spec).eval()
    encoder.resolution = spec.input_side
    return encoder


def patch_embed_parameters(patch: int, width: int) -> int:
    return (3 * patch**2 + 1) * width


def simple_vit_parameters(patch: int, width: int) -> int:
    """Embedding between two norms, blocks of attention and MLP with a norm before each, a last norm."""
    sizes, values = SimpleVitConfig(), 3 * patch**2
    attention = 2 * width + 4 * width * sizes.heads * sizes.head_dim
    mlp = 2 * width + 2 * width * sizes.mlp_dim + sizes.mlp_dim + width
    embedding = 2 * values + (values + 1) * width + 2 * width
    return embedding + sizes.depth * (attention + mlp) + 2 * width


def check(encoder: Encoder, config: ClickModelConfig, parameters: int) -> None:
    """Builds a click model and segments the smallest image that the encoder takes."""
    model = ClickModel(encoder, config, bilinear)
    assert sum(parameter.numel() for parameter in model.click_encoder.parameters()) == parameters
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == set(model.learned())
    side = encoder.spec.size_divisor
    with torch.no_grad():
        logits = model(torch.empty(1, 3, side, side), torch.empty(1, 1, side, side), torch.empty(1, 2, 3))
    assert logits.shape == (1, 1, side, side)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_encoder_can_be_clicked_with(name: str) -> None:
    spec = ARCHITECTURES[name]
    stride = min(spec.strides, key=lambda own: abs(own - STRIDE))
    width = spec.channels[stride]
    patch = spec.patch_size if spec.shows_tokens else stride
    with torch.device("meta"):
        encoder = built(spec)
        late = ClickModelConfig(click_encoder="simple_vit", inject="late_hr")
        check(encoder, late, simple_vit_parameters(patch, width))
        if spec.shows_tokens:
            for tap in ("maps", "keys"):
                check(encoder, ClickModelConfig(tap=tap), patch_embed_parameters(patch, encoder.width))
        else:
            check(encoder, ClickModelConfig(inject="late_lr"), patch_embed_parameters(patch, width))
            with pytest.raises(ConfigError, match=rf"inject: early, but {name} has no tokens"):
                ClickModel(encoder, ClickModelConfig())
