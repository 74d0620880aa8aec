"""Controls: maps whose answer is known before any metric is asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.controls import CHANNELS, CONTROLS, contour_energy, control_map
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.sobel import interior, sobel
from vfm_fusion.metrics.structural_coherence import structural_coherence


@pytest.fixture
def image() -> Tensor:
    """Three flat, differently coloured rectangles on grey, ``(1, 3, 96, 128)`` uint8."""
    scene = torch.full((1, 3, 96, 128), 128, dtype=torch.uint8)
    for (top, left, bottom, right), colour in {
        (8, 16, 48, 56): (220, 40, 40),
        (40, 72, 88, 120): (30, 200, 60),
        (64, 8, 88, 40): (20, 30, 230),
    }.items():
        scene[0, :, top:bottom, left:right] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    return scene


def roughness(planes: Tensor) -> float:
    """Mean squared difference of horizontal neighbours in units of the variance; 2 for white noise."""
    variance = planes.sub(planes.mean((1, 2), keepdim=True)).square().mean()
    return float(planes.diff(dim=2).square().mean() / variance)


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize(("size", "stride"), [((96, 128), 4), ((97, 61), 8), ((33, 47), 16), ((40, 40), 32)])
def test_every_control_covers_the_image_at_its_stride(name: str, size: tuple[int, int], stride: int) -> None:
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    features = control_map(name, picture, stride)
    assert features.shape == (CHANNELS, -(-size[0] // stride), -(-size[1] // stride))
    assert features.dtype == torch.float32
    assert bool(features.isfinite().all())


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_depends_on_image_stride_and_seed_only(name: str, image: Tensor) -> None:
    torch.manual_seed(3)
    first = control_map(name, image, 4, seed=5)
    torch.manual_seed(4)
    assert torch.equal(first, control_map(name, image.clone(), 4, seed=5))
    assert torch.equal(first, control_map(name, unit_range(image), 4, seed=5))


@pytest.mark.parametrize("name", ["noise", "shuffled", "smooth"])
def test_another_seed_draws_another_map(name: str, image: Tensor) -> None:
    assert not torch.equal(control_map(name, image, 4, seed=0), control_map(name, image, 4, seed=1))


def test_the_norm_of_contour_energy_is_twice_the_colour_gradient(image: Tensor) -> None:
    contours = control_map("edges", image, 4)
    thumbnail = F.interpolate(unit_range(image), size=(24, 32), mode="bilinear", antialias=True)[0]
    gx, gy = sobel(thumbnail)
    expected = 2 * (gx.square() + gy.square()).sum(dim=0).sqrt()
    torch.testing.assert_close(contours.norm(dim=0), expected, rtol=1e-5, atol=1e-6)


def test_contour_energy_counts_every_direction_alike() -> None:
    ramp = torch.arange(64.0) / 63
    vertical = ramp.expand(1, 3, 64, 64)
    across, down = (contour_energy(each, (16, 16)) for each in (vertical, vertical.mT))
    torch.testing.assert_close(across.norm(dim=0), down.norm(dim=0).T)
    assert not torch.allclose(across, down.mT)


def test_contours_lie_at_the_contours(image: Tensor) -> None:
    strength = control_map("edges", image, 4).norm(dim=0)
    flat = strength[4:10, 6:12]  # inside the first rectangle, a pixel and more from its border
    assert float(flat.max()) < 1e-5
    assert float(strength[2:12, 4].min()) > 0.1


def test_shuffled_holds_the_pixels_of_edges_in_another_order(image: Tensor) -> None:
    edges, shuffled = (control_map(name, image, 4).flatten(1).T for name in ("edges", "shuffled"))
    assert not torch.equal(edges, shuffled)
    rows = [sorted(map(tuple, pixels.tolist())) for pixels in (edges, shuffled)]
    assert rows[0] == rows[1]


def test_blurred_keeps_the_mean_and_loses_gradient(image: Tensor) -> None:
    edges, blurred = control_map("edges", image, 4), control_map("blurred", image, 4)
    torch.testing.assert_close(blurred.mean((1, 2)), edges.mean((1, 2)), rtol=1e-4, atol=1e-6)
    assert roughness(blurred) < 0.6 * roughness(edges)


def test_roughness_rises_from_regions_over_contours_to_chance(image: Tensor) -> None:
    smooth, blurred, edges, noise = (
        roughness(control_map(name, image, 4)) for name in ("smooth", "blurred", "edges", "noise")
    )
    assert smooth < blurred < edges < noise
    assert noise == pytest.approx(2.0, abs=0.1)
    assert roughness(control_map("shuffled", image, 4)) == pytest.approx(2.0, abs=0.1)


def test_smooth_is_nearly_constant_within_an_object(image: Tensor) -> None:
    smooth = control_map("smooth", image, 4)
    spread = smooth.flatten(1).std(dim=1).norm()
    first = smooth[:, 5:9, 7:11].flatten(1)
    assert float(first.std(dim=1).norm()) < 0.25 * float(spread)
    assert float((first.mean(dim=1) - smooth[:, 13:19, 21:27].flatten(1).mean(dim=1)).norm()) > float(spread)


def test_regions_are_the_same_at_every_stride(image: Tensor) -> None:
    fine, coarse = control_map("smooth", image, 4), control_map("smooth", image, 8)
    pooled = F.avg_pool2d(fine[None], 2)[0]
    correlation = torch.corrcoef(torch.stack([pooled.flatten(), coarse.flatten()]))[0, 1]
    assert float(correlation) > 0.9


def test_noise_is_white_and_standard_normal(image: Tensor) -> None:
    noise = control_map("noise", image, 1)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    neighbours = torch.corrcoef(torch.stack([noise[..., :-1].flatten(), noise[..., 1:].flatten()]))[0, 1]
    assert abs(float(neighbours)) < 0.01


def test_constant_is_constant_and_undefined(image: Tensor) -> None:
    constant = control_map("constant", image, 4)
    assert float(constant.max()) == float(constant.min())
    assert FeatureMap(constant).reason == reasons.CONSTANT_FEATURES


def test_an_image_without_contours_gives_constant_contours() -> None:
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert float(control_map("edges", grey, 8).abs().max()) < 1e-6
    assert float(control_map("smooth", grey, 8).std()) > 0.0


def test_coherence_ranks_regions_above_what_has_no_places(image: Tensor) -> None:
    scores = {name: float(structural_coherence(control_map(name, image, 4)[None]).sc) for name in CONTROLS}
    assert scores["smooth"] > max(scores["edges"], scores["noise"], scores["shuffled"])
    assert min(scores["edges"], scores["blurred"]) > max(scores["noise"], scores["shuffled"])
    assert scores["constant"] != scores["constant"]


def test_wrong_arguments_are_refused(image: Tensor) -> None:
    with pytest.raises(ValueError, match="no control is named 'edge'"):
        control_map("edge", image, 4)
    with pytest.raises(ShapeError, match="at least 1"):
        control_map("edges", image, 0)
    with pytest.raises(ShapeError, match="RGB"):
        control_map("edges", image[0], 4)


def test_border_pixels_hold_no_invented_contour() -> None:
    """The border is replicated, so where the image ends is no contour."""
    half = torch.zeros(1, 3, 64, 64)
    half[..., 32:] = 1.0
    strength = control_map("edges", half, 4).norm(dim=0)
    assert float(interior(strength).max()) > 0.5
    assert float(strength[:, [0, -1]].max()) < 1e-6
