"""The mask head: settings and initial weights of Mask2Former's public configuration and code."""

from __future__ import annotations

import pytest
import torch
from transformers import Mask2FormerConfig

from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.head import MaskHead, mask2former_config
from vfm_fusion.segmentation.loss import MaskCriterion

# facebookresearch/Mask2Former: configs/coco/instance-segmentation/maskformer2_R50_bs16_50ep.yaml; the width
# of the pixel decoder's feed-forward layers is in modeling/pixel_decoder/msdeformattn.py.
PUBLIC = {
    "hidden_dim": 256,
    "heads": 8,
    "pixel_decoder_layers": 6,
    "pixel_decoder_feedforward_dim": 1024,
    "decoder_layers": 10 - 1,  # one is for the loss on the queries themselves
    "feedforward_dim": 2048,
    "queries": 100,
    "matcher": "hungarian",
    "points": 12544,
    "oversample": 3.0,
    "importance": 0.75,
    "class_weight": 2.0,
    "mask_weight": 5.0,
    "dice_weight": 5.0,
    "no_object_weight": 0.1,
}


@pytest.fixture(scope="module")
def head() -> MaskHead:
    torch.manual_seed(0)
    return MaskHead({4: 128, 8: 256, 16: 512, 32: 1024}, 80, HeadConfig())


def test_the_defaults_are_those_of_the_public_configuration() -> None:
    assert HeadConfig().model_dump(exclude={"pyramid_channels", "text_temperature"}) == PUBLIC


def test_transformers_is_told_nothing_else_than_its_own_mask2former() -> None:
    theirs = Mask2FormerConfig(num_labels=80).to_dict()
    assert mask2former_config(HeadConfig(), 80).to_dict() == theirs


def test_the_full_size_head_has_the_published_parts(head: MaskHead) -> None:
    layers = head.pixel_decoder.encoder.layers
    assert len(layers) == 6
    assert layers[0].fc1.weight.shape == (1024, 256)
    attention = layers[0].self_attn
    assert (attention.n_heads, attention.n_levels, attention.n_points) == (8, 3, 4)
    decoder = head.decoder.decoder
    assert len(decoder.layers) == 9
    assert decoder.layers[0].fc1.weight.shape == (2048, 256)
    assert decoder.layers[0].cross_attn.num_heads == 8
    assert head.decoder.queries_embedder.weight.shape == (100, 256)
    assert head.decoder.queries_features.weight.shape == (100, 256)
    assert head.class_predictor.weight.shape == (81, 256)


def test_its_size_is_that_of_the_released_head_by_hand(head: MaskHead) -> None:
    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    d, levels = 256, (256, 512, 1024)  # the pixel decoder's deformable levels: OS 8, 16, 32
    norm = 2 * d
    deformable = linear(d, 8 * 3 * 4 * 2) + linear(d, 8 * 3 * 4) + 2 * linear(d, d)
    encoder_layer = deformable + norm + linear(d, 1024) + linear(1024, d) + norm
    fpn = 128 * d + norm + 9 * d * d + norm  # convolutions before a norm have no bias
    pixel_decoder = sum(linear(c, d) + norm for c in levels) + 3 * d + 6 * encoder_layer + fpn + linear(d, d)
    attention = 4 * linear(d, d)
    decoder_layer = 2 * (attention + norm) + linear(d, 2048) + linear(2048, d) + norm
    decoder = 9 * decoder_layer + norm + 2 * 100 * d + 3 * d + 3 * linear(d, d)
    assert sum(p.numel() for p in head.parameters()) == pixel_decoder + decoder + linear(d, 81)


def test_no_object_counts_a_tenth() -> None:
    criterion = MaskCriterion(80, HeadConfig())
    assert criterion.class_weights.tolist() == pytest.approx([1.0] * 80 + [0.1])
    weights = (criterion.config.class_weight, criterion.config.mask_weight, criterion.config.dice_weight)
    assert weights == (2, 5, 5)
    assert criterion.config.points == 12544


def test_queries_keys_and_values_start_as_one_matrix_of_the_released_code(head: MaskHead) -> None:
    released = torch.nn.MultiheadAttention(256, 8).in_proj_weight
    torch.nn.init.xavier_uniform_(released)
    attention = head.decoder.decoder.layers[4].self_attn
    ours = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
    assert ours.shape == released.shape
    assert ours.abs().max().item() == pytest.approx(released.abs().max().item(), rel=1e-3)
    assert ours.std().item() == pytest.approx(released.std().item(), rel=0.02)


def test_the_pixel_decoder_keeps_float32_in_mixed_precision(head_config: HeadConfig) -> None:
    small = MaskHead({4: 8, 8: 8, 16: 8, 32: 8}, 3, head_config)
    seen: dict[str, torch.dtype] = {}
    small.pixel_decoder.encoder.layers[0].fc1.register_forward_hook(
        lambda *call: seen.__setitem__("pixel decoder", call[2].dtype)
    )
    small.decoder.decoder.layers[0].fc1.register_forward_hook(
        lambda *call: seen.__setitem__("decoder", call[2].dtype)
    )
    with torch.autocast("cpu", torch.bfloat16):
        output = small({s: torch.rand(1, 8, 64 // s, 64 // s).bfloat16() for s in (4, 8, 16, 32)})
    assert seen == {"pixel decoder": torch.float32, "decoder": torch.bfloat16}
    assert torch.isfinite(output.mask_logits).all()
