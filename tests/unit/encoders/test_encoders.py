"""One contract for every registered encoder, and safe weight loading."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from vfm_fusion.config.encoders import EncoderConfig, FileWeights, SeededWeights
from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.encoders.pyramid import derive_pyramid, nearest_stride
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.errors import ShapeError, WeightsError

REAL = {
    "mobilenetv2_100": "mobilenetv2_100.tf2_mobilenet_v2_1.0_224_ptq.dequant.safetensors",
    "squeezenet1_0": "squeezenet1_0.deepcompression.safetensors",
    "r2d2_n16": "r2d2_WASF_N16.pt",
    "pidinet": "pidinet_carv4_bsds.converted.safetensors",
}


def seeded(name: str, seed: int = 0) -> EncoderConfig:
    return EncoderConfig(architecture=name, weights=SeededWeights(source="seeded", seed=seed))


def from_file(name: str, path: Path | str, sha256: str | None = None) -> EncoderConfig:
    weights = FileWeights(source="file", path=str(path), pretraining="test", sha256=sha256)
    return EncoderConfig(architecture=name, weights=weights)


def test_wrong_images_are_refused() -> None:
    encoder = build_encoder(seeded("mini_hiera"))
    with pytest.raises(ShapeError, match="multiples of 32"):
        encoder(torch.rand(1, 3, 64, 100))
    with pytest.raises(ShapeError, match="float images"):
        encoder(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="float images"):
        encoder(torch.rand(1, 4, 64, 64))


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_weights_load_and_see_edges_of_a_photo(name: str, realdata: Path) -> None:
    path = realdata / "weights" / REAL[name]
    config = from_file(name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    encoder, untrained = build_encoder(config), build_encoder(seeded(name))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        trained_maps, seeded_maps = encoder(images), untrained(images)
    for stride in encoder.spec.strides:
        assert torch.isfinite(trained_maps[stride]).all()
        assert not torch.allclose(trained_maps[stride], seeded_maps[stride])
    assert weights_digest(config) == config.weights.sha256
    assert describe_pretraining(config) == "test"


@pytest.mark.realdata
def test_strided_r2d2_equals_the_dilated_original_on_its_grid(realdata: Path) -> None:
    """The original is dilated and of full resolution; strides must subsample it exactly."""
    encoder = build_encoder(from_file("r2d2_n16", realdata / "weights" / REAL["r2d2_n16"]))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        strided = encoder(images)[4]
        x, dilation = (images - encoder._mean) / encoder._std, 1
        for layer in list(encoder.ops)[:18]:
            if isinstance(layer, torch.nn.Conv2d):
                dilation *= layer.stride[0]
                x = torch.nn.functional.conv2d(
                    x,
                    layer.weight,
                    layer.bias,
                    padding=dilation // layer.stride[0],
                    dilation=dilation // layer.stride[0],
                )
            else:
                x = layer(x)
    torch.testing.assert_close(strided, x[..., ::4, ::4], rtol=1e-3, atol=1e-4)


@pytest.mark.realdata
def test_pidinet_is_the_published_network_and_answers_to_contours(realdata: Path) -> None:
    """Stage by stage from the weights' own shapes; its maps differ most from the rest where a disc ends."""
    path = realdata / "weights" / REAL["pidinet"]
    encoder, own = build_encoder(from_file("pidinet", path)), load_file(path)
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(160.0), indexing="ij")
    distance = ((rows - 64) ** 2 + (columns - 80) ** 2).sqrt()  # (H, W)
    images = torch.where(distance < 40, 0.8, 0.2).expand(1, 3, -1, -1)
    with torch.no_grad():
        maps = encoder(images)
        x = F.conv2d(encoder.normalise(images), own["init_block.weight"], padding=1)
        for name in sorted(key.removesuffix(".conv1.weight") for key in own if key.endswith(".conv1.weight")):
            if not name.startswith("block"):
                continue
            depthwise, pointwise = own[f"{name}.conv1.weight"], own[f"{name}.conv2.weight"]
            shortcut = own.get(f"{name}.shortcut.weight")
            x = x if shortcut is None else F.max_pool2d(x, 2)
            y = F.conv2d(x, depthwise, padding=depthwise.shape[-1] // 2, groups=len(depthwise)).relu()
            kept = x if shortcut is None else F.conv2d(x, shortcut, own[f"{name}.shortcut.bias"])
            x = F.conv2d(y, pointwise) + kept
            if name == "block3_4":
                torch.testing.assert_close(maps[4], x)
        torch.testing.assert_close(maps[8], x)
        assert torch.equal(maps[16], F.max_pool2d(x, 2))
        assert torch.equal(maps[32], F.max_pool2d(x, 4))
    cells = F.avg_pool2d(distance[None, None], 4)[0, 0]
    typical = maps[4][0].flatten(1).median(dim=1).values[:, None, None]
    answers = (maps[4][0] - typical).norm(dim=0)  # measured: 760 at the contour, 390 inside and 320 outside
    assert answers[(cells - 40).abs() < 4].mean() > 1.8 * answers[(cells < 24) | (cells > 56)].mean()


def test_a_seeded_encoder_saved_to_a_file_comes_back(tmp_path: Path) -> None:
    encoder = build_encoder(seeded("mini_vit", 4))
    save_file(encoder.state_dict(), tmp_path / "weights.safetensors")
    again = build_encoder(from_file("mini_vit", tmp_path / "weights.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), again.parameters(), strict=True))


def test_an_unset_variable_in_a_path_is_named() -> None:
    with pytest.raises(WeightsError, match=r"NO_SUCH_FOLDER, which is not set"):
        build_encoder(from_file("mini_vit", "$NO_SUCH_FOLDER/x.pt"))


def test_pyramid_passes_native_strides_and_derives_the_rest() -> None:
    native = {8: torch.rand(1, 2, 8, 12), 32: torch.rand(1, 5, 2, 3)}
    pyramid = derive_pyramid(native)
    assert pyramid[8] is native[8]
    assert pyramid[32] is native[32]
    assert pyramid[4].shape == (1, 2, 16, 24)
    assert pyramid[16].shape == (1, 2, 4, 6)
    assert torch.equal(pyramid[4], native[8].repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_nearest_stride_counts_octaves_and_prefers_the_finer() -> None:
    assert nearest_stride([8, 32], 16) == 8
    assert nearest_stride([4, 8, 16], 32) == 16
    assert nearest_stride([14], 4) == 14


def test_bilinear_pyramid_keeps_a_ramp() -> None:
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 1, 8, 16)
    fine = derive_pyramid({8: ramp}, [4], "bilinear")[4]
    torch.testing.assert_close(fine[0, 0, 4, 2:-2], torch.arange(2, 30) / 2 - 0.25)


@pytest.mark.parametrize(
    ("size", "divisor", "expected"),
    [((360, 480), 32, (352, 480)), ((368, 16), 32, (384, 32)), ((7, 9), 1, (7, 9))],
)
def test_fit_size(size: tuple[int, int], divisor: int, expected: tuple[int, int]) -> None:
    assert fit_size(*size, divisor) == expected


def test_resize_to_the_same_size_is_the_same_tensor() -> None:
    images = torch.rand(1, 3, 8, 8)
    assert resize_to(images, (8, 8)) is images
