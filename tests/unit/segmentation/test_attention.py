"""The head's attentions against those whose place they take."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoderEncoderOnly

from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.attention import DeformableAttention, MaskedAttention
from vfm_fusion.segmentation.head import MaskHead

GRIDS = [(2, 3), (4, 6), (8, 12)]
CELLS = sum(height * width for height, width in GRIDS)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scrambled(module: nn.Module) -> nn.Module:
    """Gives every weight a random value: some are drawn as 0, and torch leaves others undefined."""
    with torch.no_grad():
        for seed, parameter in enumerate(module.parameters()):
            parameter.copy_(0.5 * random(*parameter.shape, seed=seed))
    return module


def results(module: nn.Module, output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    output.square().sum().backward()
    return [output.detach(), *(leaf.grad for leaf in (*inputs, *module.parameters()))]


def test_deformable_attention_gives_what_transformers_own_does() -> None:
    config = Mask2FormerConfig(feature_size=32, num_attention_heads=4, encoder_layers=1)
    theirs = scrambled(Mask2FormerPixelDecoderEncoderOnly(config).layers[0].self_attn)
    ours = DeformableAttention.of(theirs)
    assert {n: p.shape for n, p in ours.named_parameters()} == {
        n: p.shape for n, p in theirs.named_parameters()
    }
    centres = Mask2FormerPixelDecoderEncoderOnly.get_reference_points(GRIDS, torch.ones(2, 3, 2), "cpu")
    found = []
    for attention in (ours, theirs):
        attention.zero_grad()
        hidden = random(2, CELLS, 32).requires_grad_()
        output, _ = attention(
            hidden_states=hidden,
            attention_mask=torch.zeros(2, CELLS, dtype=torch.bool),
            encoder_hidden_states=hidden,
            position_embeddings=random(2, CELLS, 32, seed=1),
            reference_points=centres,
            spatial_shapes_list=GRIDS,
        )
        found.append([value.clone() for value in results(attention, output, [hidden])])
    assert found[0][0].std() > 0.1
    for mine, other in zip(*found, strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_masked_attention_gives_what_torchs_own_does() -> None:
    theirs = scrambled(nn.MultiheadAttention(32, 4))
    ours = MaskedAttention.of(theirs)
    mask = random(2 * 4, 5, CELLS, seed=3) > 0
    found = []
    for attention in (ours, theirs):
        attention.zero_grad()
        query, key, value = (random(n, 2, 32, seed=n).requires_grad_() for n in (5, CELLS, CELLS))
        output, weights = attention(query=query, key=key, value=value, attn_mask=mask, key_padding_mask=None)
        assert (weights is None) == (attention is ours)
        found.append([v.clone() for v in results(attention, output, [query, key, value])])
    for mine, other in zip(*found, strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.fixture
def head(head_config: HeadConfig) -> MaskHead:
    torch.manual_seed(0)
    return MaskHead({4: 8, 8: 8, 16: 8, 32: 8}, 3, head_config)


def test_the_head_uses_both_everywhere(head: MaskHead) -> None:
    assert all(type(layer.self_attn) is DeformableAttention for layer in _layers(head))
    assert all(type(layer.cross_attn) is MaskedAttention for layer in head.decoder.decoder.layers)


def test_the_head_never_asks_whether_maps_are_finite(head: MaskHead, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(torch, "isfinite", lambda values: asked.append(values) or torch.ones(()))
    maps = {s: random(1, 8, 64 // s, 64 // s) for s in (4, 8, 16, 32)}
    training = head.train()(maps).mask_logits
    assert not asked
    assert torch.equal(training, head.eval()(maps).mask_logits)


def test_the_head_learns_after_an_inference_of_the_same_size(head: MaskHead) -> None:
    maps = {s: random(1, 8, 96 // s, 96 // s) for s in (4, 8, 16, 32)}
    with torch.inference_mode():
        head(maps)
    head(maps).mask_logits.sum().backward()
    assert all(layer.self_attn.sampling_offsets.weight.grad is not None for layer in _layers(head))


def _layers(head: MaskHead) -> nn.ModuleList:
    return head.pixel_decoder.encoder.layers
