"""Click models around every family of encoders: where clicks enter, what is frozen, what is stored."""

from __future__ import annotations

import pytest
import torch
from interactive_toys import LearnedUpsampler, bilinear, encoder_of, toy_model
from torch import Tensor

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.encoders.maskclip import MaskClip
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.errors import ConfigError, ShapeError, WeightsError
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.interactive.clicks import Click, points_tensor

VITS = [
    *("mini_vit", "toy_dinov2_vits14", "toy_dinov3_vitb16", "toy_clip_vitb16", "toy_maskclip_vitb16"),
    "toy_sam_vitb16",
]
OTHERS = ["mini_hiera", "mini_swin", "mobilenetv2_100", "squeezenet1_0", "r2d2_n16"]
SIZE = (64, 96)


def batch(size: tuple[int, int] = SIZE) -> tuple[Tensor, Tensor, Tensor]:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    points = points_tensor([[Click(10, 20, True)], [Click(30, 5, False), Click(3, 3, True)]])
    return images, torch.zeros(2, 1, *size), points


def no_clicks() -> Tensor:
    return points_tensor([[], []])


@pytest.mark.parametrize("inject", ["early", "late_lr", "late_hr"])
@pytest.mark.parametrize("name", VITS)
def test_clicks_enter_any_plain_vit_anywhere(name: str, inject: str) -> None:
    check_clicks_enter(toy_model(name, bilinear, inject=inject))


@pytest.mark.parametrize("inject", ["late_lr", "late_hr"])
@pytest.mark.parametrize("name", OTHERS)
def test_clicks_enter_other_encoders_behind_their_maps(name: str, inject: str) -> None:
    check_clicks_enter(toy_model(name, bilinear, inject=inject))


def check_clicks_enter(model: ClickModel) -> None:
    images, previous, points = batch()
    logits = model(images, previous, points)
    assert logits.shape == (2, 1, *SIZE)
    assert logits.isfinite().all()
    with torch.no_grad():
        assert not torch.allclose(logits, model(images, previous, no_clicks()))
        assert not torch.allclose(logits, model(images, previous + 0.5, points))
    logits.square().mean().backward()
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == set(model.learned())
    assert all(p.grad.abs().sum() > 0 for p in model.click_encoder.parameters())


@pytest.mark.parametrize("name", OTHERS)
def test_early_clicks_are_refused_without_tokens(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} has no tokens.*late_lr or late_hr"):
        toy_model(name, inject="early")
    with pytest.raises(ConfigError, match=rf"tap: keys, but {name} does not show"):
        toy_model(name, inject="late_lr", tap="keys")


def test_the_control_sees_no_click() -> None:
    model = toy_model(inject="none", upsampler=bilinear)
    images, previous, points = batch()
    assert torch.equal(model(images, previous, points), model(images, previous, no_clicks()))
    assert set(model.learned()) == {"head.0.weight", "head.0.bias"}


@pytest.mark.parametrize("name", VITS)
def test_clicks_of_no_weight_leave_the_features_as_they_are(name: str) -> None:
    model = toy_model(name, inject="early")
    for parameter in model.click_encoder.parameters():
        torch.nn.init.zeros_(parameter)
    images, previous, points = batch()
    features = model.featurizer(images)
    expected = torch.nn.functional.interpolate(
        model.head(features), SIZE, mode="bilinear", align_corners=True
    )
    assert torch.equal(model(images, previous, points), expected)
    assert torch.equal(features, model.featurizer.encoder(images)[16])


def test_a_tile_of_the_papers_size_has_the_papers_grid() -> None:
    model = toy_model(encoder=encoder_of("toy_dinov2_vits14", resolution=112), inject="late_lr")
    assert model.featurizer.grid((112, 112)) == (8, 8)  # a token for 14 pixels
    assert model.click_encoder.project.kernel_size == (14, 14)
    images, previous, points = batch((112, 112))
    assert model(images, previous, points).shape == (2, 1, 112, 112)


@pytest.mark.parametrize("inject", ["early", "late_lr"])
def test_cells_of_filled_up_images_are_cut_off(inject: str) -> None:
    encoder = encoder_of("toy_sam_vitb16", resolution=128)  # 64 x 96 becomes 80 x 128 of 128 x 128
    model = toy_model(encoder=encoder, inject=inject)
    assert model.featurizer.grid(SIZE) == (5, 8)
    check_clicks_enter(model)


def test_maps_are_upsampled_to_a_stride_of_the_image() -> None:
    model = toy_model(upsampler=bilinear, inject="late_hr", upsampled_stride=4).eval()
    images, previous = torch.rand(1, 3, 48, 64), torch.rand(1, 1, 48, 64)
    seen = model.see(images)
    assert seen.upsampled.shape[-2:] == (12, 16)
    assert torch.equal(seen.upsampled, bilinear(model.featurizer(images), images, (12, 16)))
    assert model.answer(seen, previous, torch.full((1, 2, 3), -1.0)).shape == (1, 1, 48, 64)


def test_low_res_is_not_bilinear() -> None:
    """Without upsampler the logits are resized, with one the features; only linear heads do not care."""
    images, previous, points = batch()
    for head, same in (("linear", True), ("convhead", False)):
        low, high = (toy_model(upsampler=up, head=head, inject="late_lr") for up in (None, bilinear))
        close = torch.allclose(low(images, previous, points), high(images, previous, points), atol=1e-5)
        assert close == same


def test_an_upsampler_that_upsamples_nothing_is_none() -> None:
    images, previous, points = batch()
    for inject in ("early", "late_lr", "late_hr"):
        none, same = (
            toy_model(upsampler=up, head="convhead", inject=inject) for up in (None, lambda maps, *_: maps)
        )
        assert torch.equal(none(images, previous, points), same(images, previous, points))


def test_late_clicks_before_and_behind_a_linear_upsampler_are_one() -> None:
    images, previous, points = batch()
    before, behind = (toy_model(upsampler=bilinear, inject=inject) for inject in ("late_lr", "late_hr"))
    torch.testing.assert_close(
        before(images, previous, points), behind(images, previous, points), rtol=1e-4, atol=1e-5
    )
    learned = LearnedUpsampler(32).eval()
    before, behind = (toy_model(upsampler=learned, inject=inject) for inject in ("late_lr", "late_hr"))
    assert not torch.allclose(before(images, previous, points), behind(images, previous, points), atol=1e-3)


def test_upsamplers_get_normalised_images_and_the_size_and_may_give_another() -> None:
    calls = []

    def double(features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        calls.append((features.shape, image, size))
        return features.repeat_interleave(2, 2).repeat_interleave(2, 3)

    model = toy_model("toy_clip_vitb16", double, inject="late_hr")
    images, previous, points = batch()
    assert model(images, previous, points).shape == (2, 1, *SIZE)
    ((shape, guidance, size),) = calls
    assert (tuple(shape), size) == ((2, 32, 4, 6), SIZE)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(guidance, (images - mean) / std)


def test_imagenet_statistics_are_seen_whatever_the_encoders_own() -> None:
    images, *_ = batch()
    seen = []
    for statistics in ("encoder", "imagenet"):
        featurizer = toy_model("toy_clip_vitb16", inject="late_lr", statistics=statistics).featurizer
        seen.append(featurizer.encoder.normalise(featurizer._restyled(images)))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(seen[1], (images - mean) / std)
    assert not torch.allclose(seen[0], seen[1], atol=0.05)


def test_keys_are_those_of_the_last_attention_head_minor() -> None:
    featurizer = toy_model("mini_vit", inject="late_lr", tap="keys").featurizer
    images, *_ = batch()
    encoder = featurizer.encoder
    entering = encoder.blocks(encoder.start(images), 0, -1)
    keys = encoder.heads(entering, -1, rotated=False).keys  # (B, 4, 1 + N, 32)
    maps = featurizer(images)
    assert maps.shape == (2, 128, 4, 6)
    for head, channel, row, col in ((0, 0, 0, 0), (3, 7, 2, 5), (1, 31, 3, 1)):
        assert torch.equal(maps[:, channel * 4 + head, row, col], keys[:, head, 1 + 6 * row + col, channel])


def test_maskclip_has_other_channels_behind_its_projection_than_before() -> None:
    def widths(inject: str, tap: str) -> tuple[int, ...]:
        model = toy_model("toy_maskclip_vitb16", inject=inject, tap=tap)
        maps = model.featurizer(batch()[0])
        return maps.shape[1], model.click_encoder.project.out_channels, model.head[0].in_channels

    assert widths("early", "maps") == (24, 32, 24)
    assert widths("late_lr", "maps") == (24, 24, 24)
    assert widths("early", "keys") == widths("late_hr", "keys") == (32, 32, 32)


def test_a_click_model_of_maskclip_has_the_papers_512_channels() -> None:
    counts = []
    with torch.device("meta"):
        encoder = MaskClip(spec_of("maskclip_vitb16"))
        for part, inject in (("patch_embed", "early"), ("patch_embed", "late_lr"), ("simple_vit", "late_hr")):
            model = ClickModel(encoder, ClickModelConfig(click_encoder=part, inject=inject))
            counts += [[sum(p.numel() for p in m.parameters()) for m in (model.click_encoder, model.head)]]
    pixels, head = 3 * 16 * 16, 2 * (9 * 512 * 512 + 512) + 512 + 1
    inner = 512 * (1 + 1) + 512 * 3 * 512 + 512 * 512 + 512 * (1 + 1) + 512 * 2048 + 2048 + 2048 * 512 + 512
    simple = 2 * pixels + pixels * 512 + 512 + 2 * 512 + 6 * inner + 2 * 512
    assert counts == [[pixels * 768 + 768, head], [pixels * 512 + 512, head], [simple, head]]


@pytest.mark.parametrize("inject", ["early", "late_lr", "late_hr"])
def test_frozen_parts_stay_as_they_are(inject: str) -> None:
    upsampler = LearnedUpsampler(32)
    model = toy_model(upsampler=upsampler, inject=inject).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, previous, points = batch()
    optimiser = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=0.1)
    first = model(images, previous, points)
    assert torch.equal(first, model(images, previous, points))  # no dropout, no batch statistics
    first.square().mean().backward()
    optimiser.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == set(model.learned())
    assert not upsampler.training
    assert model.head.training


def test_as_released_the_frozen_parts_drift() -> None:
    upsampler = LearnedUpsampler(32)
    model = toy_model(upsampler=upsampler, inject="late_lr", frozen_mode="as_released").train()
    images, previous, points = batch()
    first = model(images, previous, points)
    assert not torch.equal(first, model(images, previous, points))
    assert upsampler.layers[1].num_batches_tracked == 2
    assert not any(parameter.requires_grad for parameter in upsampler.parameters())
    assert not model.eval().upsampler.training


def test_reload_reproduces_the_logits_to_the_bit() -> None:
    model, images = toy_model("mini_vit", bilinear, head="convhead"), batch()
    for parameter in model.learned().values():
        parameter += 0.1 * torch.randn_like(parameter)
    other = toy_model("mini_vit", bilinear, head="convhead")
    assert not torch.equal(other(*images), model(*images))
    other.load_learned(model.learned(), "weights")
    assert torch.equal(other(*images), model(*images))
    assert not any(name.startswith(("featurizer", "upsampler")) for name in model.learned())


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"head": "simple_conv"}, "head.2.weight"), ({"click_encoder": "simple_vit"}, "click_encoder")],
)
def test_weights_of_another_model_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(WeightsError, match=rf"w\.safetensors: not of this click model.*{named}"):
        toy_model(**settings).load_learned(toy_model().learned(), "w.safetensors")


def test_weights_of_another_width_are_refused() -> None:
    with pytest.raises(WeightsError, match="another shape"):
        toy_model("mini_vit").load_learned(toy_model().learned(), "w.safetensors")


@pytest.mark.parametrize("inject", ["late_lr", "late_hr"])
def test_features_from_a_cache_are_taken_as_they_are(inject: str) -> None:
    model = toy_model("mini_hiera", bilinear, inject=inject)
    images, previous, points = batch()
    cached = model.see(images, features=model.featurizer.encoder(images, [16])[16])
    assert torch.equal(model.answer(cached, previous, points), model(images, previous, points))
    with pytest.raises(ShapeError, match="expected the encoder's map"):
        model.see(images, features=torch.zeros(2, 96, 3, 6))


def test_bad_input_is_named() -> None:
    model, (images, previous, points) = toy_model(), batch()
    with pytest.raises(ShapeError, match="expected float images"):
        model(images[:, :1], previous, points)
    with pytest.raises(ShapeError, match="expected float images"):
        model((255 * images).byte(), previous, points)
    with pytest.raises(ShapeError, match="multiples of 16"):
        model(images[..., :50, :], previous, points)
    with pytest.raises(ShapeError, match="expected masks"):
        model(images, previous[..., 1:], points)
    with pytest.raises(ShapeError, match="points of as many images"):
        model(images, previous, points[:1])


def test_images_do_not_see_their_neighbours() -> None:
    model = toy_model(upsampler=bilinear).eval()
    images, previous, points = batch()
    together = model(images, previous, points)
    for image in range(2):
        alone = model(*(part[image : image + 1] for part in (images, previous, points)))
        torch.testing.assert_close(alone, together[image : image + 1], rtol=1e-4, atol=1e-5)
