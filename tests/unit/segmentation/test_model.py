"""The segmentation model: pyramid, frozen parts, head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
import torch
from segmentation_toys import TinyHierarchy, TinyViT

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.registries import OPERATORS
from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.errors import ShapeError, TrainingError
from vfm_fusion.fusion.align import resize_to_grid
from vfm_fusion.fusion.operators import build_fusion
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.encoder_pyramid import (
    PyramidProjection,
    derived_channels,
    encode_native,
    projected_channels,
)
from vfm_fusion.segmentation.head import MaskHead
from vfm_fusion.segmentation.model import FusedSegmenter


def assemble(
    master: Encoder,
    head: HeadConfig,
    auxiliary: Encoder | None = None,
    *strides: int,
    operator: str = "replace",
    train_master: bool = True,
    **settings: bool,
) -> FusedSegmenter:
    channels = projected_channels(master.spec, head.pyramid_channels)
    fusion = None
    if auxiliary is not None:
        fusion = build_fusion(
            FusionConfig(operator=operator), strides or (16,), channels, derived_channels(auxiliary.spec)
        )
    projection = PyramidProjection(
        master.spec, head.pyramid_channels, fusion.replaced if fusion else frozenset()
    )
    return FusedSegmenter(
        master,
        projection,
        MaskHead(channels, 4, head),
        train_master=train_master,
        auxiliary=auxiliary,
        fusion=fusion,
        **settings,
    )


def encode(encoder: Encoder, images: torch.Tensor, strides: tuple[int, ...] = (4, 8, 16, 32)) -> dict:
    return derive_pyramid(encode_native(encoder, images, strides), strides)


def images(size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))


def optimise(model: FusedSegmenter, steps: int = 3) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(steps):
        output = model.train()(images())
        (output.mask_logits.square().mean() + output.class_logits.square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()


def copied(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def test_a_single_stride_encoder_is_projected_at_every_stride(head_config: HeadConfig) -> None:
    pyramid = assemble(TinyViT(), head_config).pyramid(images())
    expected = {s: (2, c, 64 // s, 96 // s) for s, c in zip((4, 8, 16, 32), (8, 12, 16, 20), strict=True)}
    assert {s: tuple(f.shape) for s, f in pyramid.items()} == expected


def test_a_hierarchical_encoder_keeps_its_maps_bit_for_bit(head_config: HeadConfig) -> None:
    model = assemble(TinyHierarchy(), head_config).eval()
    native = model.master(images())
    pyramid = model.pyramid(images())
    assert all(torch.equal(pyramid[s], native[s]) for s in (4, 8, 16, 32))


@contextmanager
def counted(blocks: Iterable[torch.nn.Module]) -> Iterator[list[int]]:
    """Counts how often each block runs."""
    calls: list[int] = []
    hooks = []
    for position, block in enumerate(blocks):
        calls.append(0)

        def count(*_: object, position: int = position) -> None:
            calls[position] += 1

        hooks.append(block.register_forward_hook(count))
    yield calls
    for hook in hooks:
        hook.remove()


def test_encoding_is_the_profiled_pyramid_where_the_image_fits() -> None:
    encoder = TinyViT().eval()
    expected = derive_pyramid(encoder(images()))
    found = encode(encoder, images())
    assert all(torch.equal(found[s], expected[s]) for s in expected)


def test_an_encoder_of_another_size_divisor_ends_on_the_exact_grids(head_config: HeadConfig) -> None:
    pyramid = assemble(TinyViT(patch=14), head_config).pyramid(images())
    assert {s: tuple(f.shape[-2:]) for s, f in pyramid.items()} == {
        s: (64 // s, 96 // s) for s in (4, 8, 16, 32)
    }


@pytest.mark.parametrize("patch", [16, 14])
def test_projecting_before_resizing_changes_nothing(head_config: HeadConfig, patch: int) -> None:
    model = assemble(TinyViT(patch=patch), head_config).eval()
    resized = encode(model.master, images())
    for stride, found in model.pyramid(images()).items():
        grid = resize_to_grid(resized[stride], (64 // stride, 96 // stride))
        expected = model.projection.projections[str(stride)](grid)
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_auxiliary_map_replaces_the_masters_in_the_pyramid(head_config: HeadConfig) -> None:
    model = assemble(TinyHierarchy(), head_config, auxiliary=TinyViT(channels=16)).eval()
    pyramid = model.pyramid(images())
    assert torch.equal(pyramid[16], model.auxiliary(images())[16])
    assert torch.equal(pyramid[8], model.master(images())[8])


def test_frozen_encoders_stay_bit_for_bit_batch_norm_statistics_included(head_config: HeadConfig) -> None:
    model = assemble(TinyViT(), head_config, auxiliary=TinyViT(channels=7), train_master=False)
    master, auxiliary, head = copied(model.master), copied(model.auxiliary), copied(model.head)
    optimise(model)
    assert not changed(model.master, master)
    assert not changed(model.auxiliary, auxiliary)
    assert changed(model.head, head)


def test_a_trained_auxiliary_learns_but_keeps_its_batch_norm_statistics(head_config: HeadConfig) -> None:
    model = assemble(TinyHierarchy(), head_config, TinyViT(channels=16), train_auxiliary=True)
    before = copied(model.auxiliary)
    optimise(model)
    moved = changed(model.auxiliary, before)
    assert {"embed.weight", "norm.weight", "norm.bias"} <= moved
    assert not moved & {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
    assert model.auxiliary.training
    assert not model.auxiliary.norm.training


def test_a_fine_tuned_encoder_learns_but_keeps_its_batch_norm_statistics(head_config: HeadConfig) -> None:
    model = assemble(TinyViT(), head_config)
    before = copied(model.master)
    optimise(model)
    moved = changed(model.master, before)
    assert {"embed.weight", "norm.weight", "norm.bias"} <= moved
    assert not moved & {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}


def test_training_mode_leaves_frozen_encoders_in_evaluation_mode(head_config: HeadConfig) -> None:
    model = assemble(TinyViT(), head_config, auxiliary=TinyHierarchy()).train()
    assert model.training
    assert model.master.training
    assert not model.master.norm.training
    assert not any(module.training for module in model.auxiliary.modules())


def test_only_what_trains_is_saved(head_config: HeadConfig) -> None:
    model = assemble(TinyViT(), head_config, auxiliary=TinyHierarchy())
    names = model.trained_names()
    assert not any(name.startswith("auxiliary.") for name in names)
    assert any(name.startswith("master.") for name in names)
    assert {name.split(".")[2] for name in names if name.startswith("projection.")} == {"4", "8", "32"}
    counts = model.count_parameters()
    frozen = sum(p.numel() for p in model.auxiliary.parameters())
    assert counts["total"] - counts["trainable"] == frozen > 0


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("trained", [False, True])
def test_every_trained_parameter_gets_a_gradient(
    head_config: HeadConfig, operator: str, trained: bool
) -> None:
    model = assemble(
        TinyHierarchy(), head_config, TinyViT(), 8, 16, operator=operator, train_auxiliary=trained
    )
    output = model(images())
    total = output.class_logits.sum() + output.mask_logits.sum()
    (total + sum(c.sum() + m.sum() for c, m in output.intermediate)).backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    assert all((p.grad is not None) == trained for p in model.auxiliary.parameters())


def test_a_gated_model_starts_as_its_master_alone(head_config: HeadConfig) -> None:
    model = assemble(TinyViT(), head_config, TinyHierarchy(), 4, 32, operator="gated").eval()
    fused = model.pyramid(images())
    model.fusion = None
    alone = model.pyramid(images())
    assert all(torch.equal(fused[s], alone[s]) for s in (4, 8, 16, 32))


@pytest.mark.parametrize(
    ("strides", "stages"),
    [((4,), 1), ((8,), 2), ((16,), 3), ((32,), 4), ((16, 4), 3)],
)
@pytest.mark.parametrize("operator", OPERATORS)
def test_the_auxiliary_runs_no_further_than_the_injection_strides(
    encoders: dict[str, EncoderConfig],
    head_config: HeadConfig,
    operator: str,
    strides: tuple[int, ...],
    stages: int,
) -> None:
    run = RunConfig(master="vit", auxiliary="hiera", fusion=FusionConfig(operator=operator))
    model = build_segmenter(run, encoders, strides, head_config, 4, 0)
    ends = [0, 1, 3, 4]  # last block of each of mini_hiera's stages of 1, 1, 2 and 1 blocks
    with counted(model.auxiliary.model.blocks) as calls:
        model.pyramid(images())
    assert calls == [1] * (ends[stages - 1] + 1) + [0] * (4 - ends[stages - 1])


@pytest.mark.parametrize(
    ("operator", "strides", "blocks"),
    [("replace", (32,), 4), ("replace", (16, 32), 2), ("replace", (4,), 5), ("gated", (32,), 5)],
)
def test_the_master_runs_no_further_than_what_is_kept_of_it(
    encoders: dict[str, EncoderConfig],
    head_config: HeadConfig,
    operator: str,
    strides: tuple[int, ...],
    blocks: int,
) -> None:
    run = RunConfig(master="hiera", auxiliary="vit", fusion=FusionConfig(operator=operator))
    model = build_segmenter(run, encoders, strides, head_config, 4, 0)
    with counted(model.master.model.blocks) as calls:
        model.pyramid(images())
    assert sum(calls) == blocks


def test_a_stage_that_is_not_computed_changes_nothing(encoders: dict[str, EncoderConfig]) -> None:
    encoder = build_encoder(encoders["hiera"])
    whole = encode(encoder, images())
    for strides in ((4,), (8, 16), (32,)):
        part = encode(encoder, images(), strides)
        assert list(part) == list(strides)
        assert all(torch.equal(part[s], whole[s]) for s in strides)


def test_no_gradient_is_kept_for_a_frozen_auxiliary(head_config: HeadConfig) -> None:
    for trained in (False, True):
        model = assemble(TinyViT(), head_config, TinyHierarchy(), 16, train_auxiliary=trained).train()
        assert model.pyramid(images())[16].requires_grad == trained
        with torch.no_grad():
            assert not model.pyramid(images())[16].requires_grad


def test_a_bfloat16_auxiliary_computes_in_it_and_hands_on_float32(
    encoders: dict[str, EncoderConfig], head_config: HeadConfig
) -> None:
    pyramids, seen = {}, {}
    for precision in ("same", "bfloat16"):
        run = RunConfig(master="vit", auxiliary="hiera", auxiliary_precision=precision)
        model = build_segmenter(run, encoders, (16,), head_config, 4, 0).eval()
        attention = model.auxiliary.model.blocks[2].attn
        attention.register_forward_hook(lambda *call, at=precision: seen.__setitem__(at, call[2].dtype))
        pyramids[precision] = model.pyramid(images())
    assert seen == {"same": torch.float32, "bfloat16": torch.bfloat16}
    found, expected = pyramids["bfloat16"][16], pyramids["same"][16]
    assert found.dtype == torch.float32
    difference = (found - expected).abs().max() / expected.abs().max()
    assert 0 < difference < 0.02  # bfloat16 has 8 bits: 0.4 % a rounding
    assert all(torch.equal(pyramids["bfloat16"][s], pyramids["same"][s]) for s in (4, 8, 32))


@pytest.mark.parametrize("architecture", ["mini_vit", "mini_hiera", "mini_swin", "mobilenetv2_100"])
@pytest.mark.parametrize("training", [False, True])
def test_weights_held_in_bfloat16_give_the_very_maps_of_autocast(
    encoders: dict[str, EncoderConfig], head_config: HeadConfig, architecture: str, training: bool
) -> None:
    seeded = {"architecture": architecture, "weights": {"source": "seeded", "seed": 2}}
    encoders = {"hiera": encoders["hiera"], "other": EncoderConfig.model_validate(seeded)}
    run = RunConfig(master="hiera", auxiliary="other", auxiliary_precision="bfloat16")
    model = build_segmenter(run, encoders, (8, 16), head_config, 4, 0).train(training)
    reference = build_encoder(encoders["other"])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = encode(reference, images(), (8, 16))
    found = derive_pyramid(model.encode(images()).auxiliary, (8, 16))
    assert all(torch.equal(found[s], expected[s].float()) for s in (8, 16))
    held = sum(p.numel() * p.element_size() for p in model.auxiliary.parameters())
    assert held < 0.6 * sum(p.numel() * p.element_size() for p in reference.parameters())


def test_the_head_predicts_once_and_then_after_every_decoder_layer(head_config: HeadConfig) -> None:
    output = assemble(TinyHierarchy(), head_config)(images())
    assert len(output.intermediate) == head_config.decoder_layers == 2
    for classes, masks in (*output.intermediate, (output.class_logits, output.mask_logits)):
        assert classes.shape == (2, head_config.queries, 4 + 1)
        assert masks.shape == (2, head_config.queries, 16, 24)


def test_maps_of_an_image_that_is_no_multiple_of_32_are_refused(head_config: HeadConfig) -> None:
    with pytest.raises(ShapeError, match="multiples of 32"):
        assemble(TinyHierarchy(), head_config).head(
            {s: torch.zeros(1, s, 48 // s, 48 // s) for s in (4, 8, 16)}
        )


def test_a_seed_gives_the_same_finite_weights(
    encoders: dict[str, EncoderConfig], head_config: HeadConfig
) -> None:
    run = RunConfig(master="vit", auxiliary="hiera")
    first, second, other = (build_segmenter(run, encoders, (8,), head_config, 4, seed) for seed in (0, 0, 1))
    torch.manual_seed(3)
    assert not changed(first, second.state_dict())
    assert changed(first, other.state_dict())
    assert all(torch.isfinite(p).all() for p in first.parameters())
    assert first.head.pixel_decoder.level_embed.std() > 0.5
    assert not changed(first.master, other.master.state_dict())


def test_the_pixel_decoder_starts_as_in_the_released_code(head_config: HeadConfig) -> None:
    decoder = assemble(TinyHierarchy(), head_config.model_copy(update={"hidden_dim": 64})).head.pixel_decoder
    feedforward = decoder.encoder.layers[0].fc1.weight  # Xavier: uniform, variance 2 / (fan_in + fan_out)
    assert feedforward.std().item() == pytest.approx((2 / sum(feedforward.shape)) ** 0.5, rel=0.1)
    projection = decoder.mask_projection.weight  # Kaiming with a=1: uniform, variance 1 / fan_in
    assert projection.std().item() == pytest.approx(64**-0.5, rel=0.1)


def test_building_leaves_the_global_random_state_alone(
    encoders: dict[str, EncoderConfig], head_config: HeadConfig
) -> None:
    state = torch.get_rng_state()
    build_segmenter(RunConfig(master="vit"), encoders, (), head_config, 4, 0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("run", "strides", "message"),
    [
        (RunConfig(master="master"), (), "resolve the roles"),
        (RunConfig(master="vit", auxiliary="hiera"), (), r"injection strides are \[\]"),
        (RunConfig(master="vit"), (8,), r"injection strides are \[8\]"),
    ],
)
def test_an_unresolved_run_is_refused(
    encoders: dict[str, EncoderConfig],
    head_config: HeadConfig,
    run: RunConfig,
    strides: tuple[int, ...],
    message: str,
) -> None:
    with pytest.raises(TrainingError, match=message):
        build_segmenter(run, encoders, strides, head_config, 4, 0)
