"""One contract for every registered encoder at its full size, and for tiny variants of every family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from encoder_zoo import HEAVY, TINY, as_timm, maskclips_own, seeded
from torch import Tensor, nn

from vfm_fusion.config.registries import FAMILIES
from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.maskclip import MaskClip
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.encoders.timm_models import TimmCNN, TimmHierarchical, TimmSam, TimmViT, timm
from vfm_fusion.errors import ShapeError
from vfm_fusion.loading import load

SIZE = (96, 160)
NAMES = [
    *(spec.architecture for spec in TINY),
    *(pytest.param(name, marks=HEAVY.get(name, ())) for name in ARCHITECTURES),
]
ON_THE_HUB = [name for name, spec in ARCHITECTURES.items() if spec.published and spec.published.hub]


@dataclass
class Built:
    """An encoder and what it gives for two images."""

    encoder: Encoder
    images: Tensor
    maps: dict[int, Tensor]


@pytest.fixture(scope="module", autouse=True)
def zoo() -> Iterator[None]:
    """The tiny variants stand in the registry as long as this module is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for spec in TINY:
            patch.setitem(ARCHITECTURES, spec.architecture, spec)
        yield


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest, zoo: None) -> Built:
    encoder = build_encoder(as_timm(request.param))
    images = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return Built(encoder, images, encoder(images))


def distance(found: Tensor, expected: Tensor) -> float:
    """Root mean square of the difference, as a fraction of that of ``expected``."""
    return ((found.float() - expected).norm() / expected.norm()).item()


def test_strides_and_channels_are_those_declared(built: Built) -> None:
    spec = built.encoder.spec
    assert not built.encoder.training
    assert tuple(built.maps) == spec.strides
    for stride, feature in built.maps.items():
        assert feature.shape == (2, spec.channels[stride], SIZE[0] // stride, SIZE[1] // stride)
        assert torch.isfinite(feature).all()
        assert feature.std() > 0


def test_an_image_does_not_depend_on_its_batch(built: Built) -> None:
    with torch.inference_mode():
        alone = built.encoder(built.images[1:])
    for stride, feature in built.maps.items():
        assert distance(feature[1:], alone[stride]) < 1e-5


def test_every_size_that_fits_the_divisor_is_taken_and_no_other(built: Built) -> None:
    spec = built.encoder.spec
    photo = torch.rand(1, 3, 75, 50, generator=torch.Generator().manual_seed(1))
    with pytest.raises(ShapeError, match=f"multiples of {spec.size_divisor}"):
        built.encoder(photo)
    height, width = fit_size(75, 50, spec.size_divisor)
    with torch.inference_mode():
        maps = built.encoder(resize_to(photo, (height, width)))
    for stride, feature in maps.items():
        assert feature.shape == (1, spec.channels[stride], height // stride, width // stride)
        assert torch.isfinite(feature).all()


def test_bfloat16_stays_close(built: Built) -> None:
    """Each rounding to 8 bits costs up to 2^-9; through up to 48 blocks the errors add like random ones.

    Measured with initial weights: .003 (ViT-B) to .04 (Hiera-L). Twice the deepest encoder's is the bound.
    """
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        rounded = built.encoder(built.images)
    for stride, feature in built.maps.items():
        assert distance(rounded[stride], feature) < 0.08


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_generator_alone(built: Built) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = build_encoder(seeded(built.encoder.spec.architecture)).state_dict()
    assert torch.equal(torch.rand(1), expected)
    first = built.encoder.state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("name", ["mini_vit", "mini_hiera", "mini_swin", "r2d2_n16", "tiny_sam_vitb16"])
def test_another_seed_gives_other_weights(name: str) -> None:
    first, other = (build_encoder(seeded(name, seed)).state_dict() for seed in (1, 2))
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_maps_are_those_of_the_model_itself(built: Built) -> None:
    encoder, spec = built.encoder, built.encoder.spec
    seen = (resize_to(built.images, encoder.seen_size(*SIZE)) - encoder._mean) / encoder._std
    with torch.inference_mode():
        expected = own_maps(encoder, seen)
    for stride, feature in expected.items():
        assert distance(built.maps[stride], feature) < 1e-6
    if isinstance(encoder, TimmViT | TimmSam | TimmHierarchical | TimmCNN):
        assert expected.keys() == set(spec.strides)


def own_maps(encoder: Encoder, seen: Tensor) -> dict[int, Tensor]:
    """What the model's own ``forward_features`` gives, by stages; nothing for those that are not timm's."""
    spec = encoder.spec
    if isinstance(encoder, MaskClip):
        return {16: maskclips_own(encoder, seen)}
    if isinstance(encoder, TimmViT):
        tokens = encoder.model.forward_features(seen)[:, encoder.model.num_prefix_tokens :]
        grid = (seen.shape[2] // spec.patch_size, seen.shape[3] // spec.patch_size)
        return {16: tokens.transpose(1, 2).unflatten(2, grid)}
    if isinstance(encoder, TimmSam):
        return {16: encoder.model.forward_features(seen)}
    if isinstance(encoder, TimmHierarchical):
        stages, channels_last = stages_of(encoder.model)
        seen_by_hooks: list[Tensor] = []
        hooks = [
            stage.register_forward_hook(lambda _, __, output: seen_by_hooks.append(output))
            for stage in stages
        ]
        last = encoder.model.forward_features(seen)
        for hook in hooks:
            hook.remove()
        assert torch.equal(last, seen_by_hooks[-1])
        maps = [m.permute(0, 3, 1, 2) if channels_last else m for m in seen_by_hooks]
        return dict(zip(spec.strides, maps, strict=True))
    if isinstance(encoder, TimmCNN):
        plain = timm.create_model(spec.timm_name, **spec.options).eval()
        plain.load_state_dict(encoder.model.state_dict(), strict=False)
        maps = plain.forward_intermediates(seen, indices=[1, 2, 3, 4], intermediates_only=True)
        return dict(zip(spec.strides, maps, strict=True))
    return {}


def stages_of(model: nn.Module) -> tuple[list[nn.Module], bool]:
    """The stages of a hierarchical model, and whether their maps have the channels last."""
    if hasattr(model, "stages"):  # ConvNeXt
        return list(model.stages), False
    if hasattr(model, "layers"):  # Swin
        return list(model.layers), True
    return [model.blocks[i] for i in model.stage_ends], True  # Hiera


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_entry_declares_what_its_model_gives_at_full_size(name: str) -> None:
    """Shapes alone, without the memory and the time of the numbers."""
    spec = ARCHITECTURES[name]
    with torch.device("meta"):
        encoder = load(FAMILIES[spec.family])(spec).eval()
        maps = encoder(torch.empty(1, 3, *SIZE))
    shapes = {stride: tuple(feature.shape[1:]) for stride, feature in maps.items()}
    assert shapes == {s: (c, SIZE[0] // s, SIZE[1] // s) for s, c in spec.channels.items()}


@pytest.mark.parametrize("name", ON_THE_HUB)
def test_normalisation_is_that_of_the_published_weights(name: str) -> None:
    spec = ARCHITECTURES[name]
    published = timm.models.get_pretrained_cfg(spec.published.hub.repository.removeprefix("timm/"))
    assert (spec.mean, spec.std) == (published.mean, published.std)


def test_patches_of_14_pixels_lie_on_the_grid_of_os_16() -> None:
    encoder = build_encoder(seeded("tiny_dinov2_vitb14"))
    assert encoder.seen_size(96, 160) == (84, 140)
    assert encoder.model.patch_embed.patch_size == (14, 14)


@pytest.mark.parametrize("height", [64, 96])
def test_sam_at_its_own_resolution_pads_and_cuts_the_padding_off(height: int) -> None:
    """Longer side to the square, zeros below: what the official transform does."""
    encoder, free = (build_encoder(seeded("tiny_sam_vitb16", resolution=r)) for r in (128, None))
    image = torch.rand(1, 3, height, 256, generator=torch.Generator().manual_seed(2))
    assert encoder.seen_size(height, 256) == (height // 2, 128)
    with torch.inference_mode():
        found = encoder(image)[16]
        seen = encoder._mean.expand(1, 3, 128, 128).clone()  # zero once it is normalised
        seen[:, :, : height // 2] = resize_to(image, (height // 2, 128))
        tokens = free(seen)[16][:, :, : height // 32]  # (1, C, height/32, 8)
    assert found.shape == (1, 48, height // 16, 16)
    assert torch.allclose(found, resize_to(tokens, (height // 16, 16)))


def test_other_encoders_squash_images_to_their_resolution() -> None:
    encoder = build_encoder(seeded("tiny_sam2_hiera_bplus", resolution=128))
    assert encoder.seen_size(64, 256) == (128, 128)
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 3, 64, 256))
    assert {stride: tuple(feature.shape[2:]) for stride, feature in maps.items()} == {
        4: (16, 64),
        8: (8, 32),
        16: (4, 16),
        32: (2, 8),
    }


def test_an_image_of_the_resolution_itself_is_seen_as_it_is() -> None:
    fixed, free = (build_encoder(seeded("tiny_sam_vitb16", resolution=r)) for r in (64, None))
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(fixed(image)[16], free(image)[16])
