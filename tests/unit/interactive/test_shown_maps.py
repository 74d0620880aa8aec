"""Maps as colours: one set of components for all of an image, and the file that figures read."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from interactive_toys import encoder_of
from labelled_blocks import Blocks
from torch import Tensor

from vfm_fusion.config.clicks import ClickModelConfig, ClickProtocolConfig
from vfm_fusion.config.image_size import read_image_size
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.interactive.joint_pca import JointPca
from vfm_fusion.interactive.shown_maps import ShownImage, show_image, write_shown
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.interpolation import Bilinear
from vfm_fusion.upsampling.upsampler import Upsampler

PROTOCOL = ClickProtocolConfig()


class Infinite(Bilinear):
    """Gives a map that is not finite."""

    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        return super().upsample(features, image, size) / 0


def shown(photos: Blocks, size: object = None, **upsamplers: Upsampler) -> ShownImage:
    featurizer = Featurizer(encoder_of("toy_dinov2_vits14"), ClickModelConfig(inject="none")).eval()
    return show_image(featurizer, upsamplers, photos, 0, read_image_size(size), PROTOCOL)


def test_components_are_found_on_all_maps_and_do_not_depend_on_the_order_of_channels() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(8, 6, 6, generator=generator) * torch.arange(1, 9).view(8, 1, 1) for _ in range(3)]
    pca = JointPca.of(maps)
    tokens = torch.cat([one.flatten(1) for one in maps], dim=1)
    expected = np.linalg.eigh(np.cov(tokens.double().numpy()))[1][:, :-4:-1]
    np.testing.assert_allclose(np.abs(pca.axes.numpy() @ expected), np.eye(3), atol=1e-5)
    order = torch.randperm(8, generator=generator)
    permuted = JointPca.of([one[order] for one in maps])
    np.testing.assert_allclose(permuted.colors(maps[1][order]), pca.colors(maps[1]), atol=1e-5)


def test_every_component_of_a_map_spans_its_own_range_and_missing_ones_are_grey() -> None:
    ramp = torch.arange(12.0).view(1, 3, 4)
    flat = torch.cat([ramp, torch.zeros(3, 3, 4)])
    colors = JointPca.of([flat, 5 * flat]).colors(5 * flat)
    np.testing.assert_allclose(colors[0], np.arange(12).reshape(3, 4) / 11, atol=1e-6)
    np.testing.assert_array_equal(colors[1:], np.full((2, 3, 4), 0.5))
    few = JointPca.of([ramp]).colors(ramp)
    assert few.shape == (3, 3, 4)


def test_a_repeated_map_has_the_repeated_colours_of_the_encoders_own() -> None:
    found = shown(Blocks((64, 96)), nearest=build_upsampler("nearest", 32), none=build_upsampler("none", 32))
    own = found.maps["low-res"]
    assert own.shape == (3, 4, 6)
    assert own.dtype == np.float16
    assert (own.min(), own.max()) == (0, 1)
    np.testing.assert_allclose(found.maps["nearest"], np.kron(own, np.ones((1, 16, 16))), atol=1e-3)
    np.testing.assert_array_equal(found.maps["none"], own)
    assert found.image.shape == (64, 96, 3)
    assert not found.undefined


def test_maps_that_cannot_be_shown_are_left_out_with_a_reason() -> None:
    upsamplers = {"jbu": build_upsampler("jbu", 32).eval(), "broken": Infinite(32)}
    found = shown(Blocks((16, 64)), **upsamplers)
    assert found.undefined == {"jbu": "map_too_small", "broken": "inf_features"}
    assert [*found.maps] == ["low-res"]


def test_large_images_are_shown_smaller() -> None:
    found = shown(Blocks((64, 900)), bilinear=build_upsampler("bilinear", 32))
    assert found.image.shape == (64, 896, 3)
    assert found.maps["bilinear"].shape == (3, 32, 448)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (None, (40, 56)),
        ([64, 48], (20, 28)),
        ({"crop": [128, 32]}, (40, 24)),
        ({"crop": [32, 96]}, None),
    ],
)
def test_the_first_click_is_the_robots_in_the_shown_image(
    size: object, expected: tuple[int, int] | None
) -> None:
    photos = Blocks((128, 96))
    photos._classes[0][:] = 0
    photos._classes[0][33:48, 49:64] = 1
    assert shown(photos, size).first_click == expected


def test_without_objects_nothing_is_clicked() -> None:
    assert shown(Blocks((64, 64), labels="none")).first_click is None


def test_the_file_keeps_order_images_and_maps(tmp_path: Path) -> None:
    photos, path = Blocks((64, 96), seed=3), tmp_path / "maps.h5"
    first = shown(photos, bilinear=build_upsampler("bilinear", 32), broken=Infinite(32))
    second = shown(Blocks((32, 32), labels="none", seed=1))
    write_shown(path, [first, second])
    with h5py.File(path) as file:
        assert json.loads(file.attrs["ids"]) == ["folder/3-0", "folder/1-0"]
        group = file["folder/3-0"]
        assert [*group] == ["bilinear", "image", "low-res"]
        np.testing.assert_array_equal(group["image"], first.image)
        np.testing.assert_array_equal(group["bilinear"], first.maps["bilinear"])
        assert tuple(group.attrs["first_click"]) == first.first_click
        assert json.loads(group.attrs["undefined"]) == {"broken": "inf_features"}
        assert "first_click" not in file["folder/1-0"].attrs
