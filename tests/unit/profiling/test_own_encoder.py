"""A model of one's own: its strides are found, and what gives no maps is told what to give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vfm_fusion.errors import ShapeError
from vfm_fusion.profiling.own_encoder import OwnEncoder, borrowed, probe

CPU = torch.device("cpu")


class Pyramid(nn.Module):
    """Maps at OS 4, 8 and 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down = nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, 8, 2, stride=2)

    def maps(self, images: Tensor) -> list[Tensor]:
        first = self.stem(images)
        second = self.down(first)
        return [first, second, self.down(second)]


class AsList(Pyramid):
    def forward(self, images: Tensor) -> list[Tensor]:
        return self.maps(images)


class AsDict(Pyramid):
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return dict(zip("abc", self.maps(images), strict=True))


@pytest.mark.parametrize("kind", [AsList, AsDict])
def test_strides_and_channels_follow_from_the_shapes(kind: type[Pyramid]) -> None:
    model = kind()
    encoder, _ = probe(OwnEncoder(model), "own", (4, 8, 16, 32), CPU)
    assert encoder.spec.channels == {4: 8, 8: 8, 16: 8}
    assert encoder.spec.size_divisor == 32
    images = torch.rand(2, 3, 64, 96)
    found = encoder(images)
    assert {stride: tuple(one.shape) for stride, one in found.items()} == {
        4: (2, 8, 16, 24),
        8: (2, 8, 8, 12),
        16: (2, 8, 4, 6),
    }
    assert torch.equal(found[8], model.maps(images)[1])


def test_maps_that_no_wanted_stride_is_derived_from_are_left_out() -> None:
    encoder, _ = probe(OwnEncoder(AsList()), "own", (16, 32), CPU)
    assert encoder.spec.strides == (16,)


def test_images_are_normalised_as_said_or_as_timm_says() -> None:
    seen: list[Tensor] = []

    def model(images: Tensor) -> Tensor:
        seen.append(images)
        return images[:, :, ::4, ::4]

    ones = torch.ones(1, 3, 32, 32)
    for own, expected in (
        (OwnEncoder(model), 1.0),
        (OwnEncoder(model, mean=(0.5,) * 3, std=(0.25,) * 3), 2.0),
    ):
        encoder, _ = probe(own, "own", (4,), CPU)
        encoder(ones)
        assert seen[-1].unique().tolist() == [expected]
    model.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    encoder, _ = probe(OwnEncoder(model), "own", (4,), CPU)
    assert encoder.spec.mean == encoder.spec.std == (0.5, 0.5, 0.5)


def test_patches_of_14_pixels_lie_on_the_grid_of_16() -> None:
    encoder, _ = probe(OwnEncoder(nn.Conv2d(3, 8, 14, stride=14), patch_size=14), "vit", (16,), CPU)
    assert (encoder.spec.patch_size, encoder.spec.size_divisor, encoder.spec.channels) == (14, 16, {16: 8})
    assert encoder(torch.rand(1, 3, 64, 96))[16].shape == (1, 8, 4, 6)


def test_several_maps_of_odd_cells_are_refused() -> None:
    own = OwnEncoder(lambda x: [x[..., ::14, ::14], x[..., ::7, ::7]], patch_size=14)
    with pytest.raises(ShapeError, match=r"cells of \[7, 14\] pixels; return one map"):
        probe(own, "own", (8, 16), CPU)


def test_a_model_of_one_square_sees_squares() -> None:
    class Fixed(nn.Conv2d):
        def forward(self, images: Tensor) -> Tensor:
            assert tuple(images.shape[-2:]) == (64, 64), "only 64 x 64"
            return super().forward(images)

    model = Fixed(3, 8, 16, stride=16)
    with pytest.raises(ShapeError, match=r"AssertionError: only 64 x 64.*resolution="):
        probe(OwnEncoder(model), "fixed", (16,), CPU)
    encoder, _ = probe(OwnEncoder(model, resolution=64), "fixed", (16,), CPU)
    assert encoder(torch.rand(1, 3, 96, 128))[16].shape == (1, 8, 6, 8)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda x: x.mean((2, 3)), r"found \(1, 3\), no spatial maps: take the model before its pooling"),
        (lambda x: x.flatten(2), r"found \(1, 3, 49152\), tokens without a grid: .*reshape the rest"),
        (lambda x: x[:, :, 2::4, ::4][:, :, :-1], r"expected a map .* whole strides .*pad the model"),
        (lambda x: x[:, :, ::4, ::4].permute(0, 2, 3, 1), r"channels that come last"),
        (lambda x: [x[..., ::4, ::4]] * 2, r"several maps of one stride \[4\]"),
        (lambda x: "maps", r"found str"),
        (lambda x: (x[..., ::4, ::4], None), r"found NoneType in tuple"),
        (lambda x: x[..., ::4, ::4] * torch.nan, "holds NaN or infinity"),
        (lambda x: x[..., ::4, ::4].long(), "found torch.int64; return floating-point numbers"),
    ],
)
def test_what_gives_no_maps_is_told_what_to_give(model: object, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        probe(OwnEncoder(model), "own", (4, 8), CPU)


def test_a_model_that_fails_on_other_sizes_is_told_what_to_give() -> None:
    def windows(images: Tensor) -> Tensor:
        return images.unflatten(2, (-1, 64))[..., ::4, ::4].flatten(2, 3)

    encoder, _ = probe(OwnEncoder(windows), "windows", (4,), CPU)
    with pytest.raises(ShapeError, match=r"windows: fails on images \(1, 3, 96, 64\).*size_divisor="):
        encoder(torch.rand(1, 3, 96, 64))


def test_mean_and_std_are_of_three_channels() -> None:
    model = nn.Conv2d(3, 4, 4, 4)
    for wrong in ({"mean": (0.5,)}, {"std": (0.0, 1.0, 1.0)}):
        with pytest.raises(ShapeError, match="own: expected mean and std of red, green and blue"):
            probe(OwnEncoder(model, **wrong), "own", (4,), CPU)


def test_the_digest_tells_weights_apart() -> None:
    model = AsList()
    digests = [probe(OwnEncoder(model), "own", (4,), CPU)[1] for _ in range(2)]
    with torch.no_grad():
        model.stem.bias += 1e-3
    assert digests[0] == digests[1] != probe(OwnEncoder(model), "own", (4,), CPU)[1]


def test_a_module_is_given_back_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8).eval()).train()
    model[1].eval()
    with borrowed(model):
        assert not model.training
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
