"""EC, NC, FC and SP in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vfm_fusion.metrics import MetricConfig, edge_fidelity
from vfm_fusion.metrics.concentration import energy_shares
from vfm_fusion.metrics.displacement import (
    correlation_curve,
    decorrelation_radius,
    shift_radii,
    shifted_correlation,
    spatial_precision,
)
from vfm_fusion.metrics.image_edges import centreline, dilate, edge_mask, edge_regions, image_gradient, luma
from vfm_fusion.metrics.sobel import sobel_magnitude
from vfm_fusion.metrics.spectrum import frequency_content, power_spectrum, radial_frequency

CONFIG = MetricConfig.of("paper")


def columns(*levels):
    """A (1, 1, 32, 32) map of vertical bars: (width, value), ..."""
    row = torch.cat([torch.full((width,), float(value)) for width, value in levels])
    assert row.numel() == 32
    return row.expand(1, 1, 32, 32).clone()


def image_with_edge_at(column):
    """A 128 x 128 image whose only edge lies where column ``column`` of a 32 x 32 map begins."""
    image = torch.full((1, 3, 128, 128), 40, dtype=torch.uint8)
    image[..., 4 * column :] = 200
    return image


def test_edges_of_a_step_image():
    """Sobel sees a step in the two columns beside it; dilations of 2 and 4 surround them."""
    regions = edge_regions(image_with_edge_at(12).float() / 255, (32, 32), CONFIG)
    expected = {"edges": {11, 12}, "centreline": {11, 12}, "core": set(range(9, 15)), "near": {7, 8, 15, 16}}
    for name, inside in expected.items():
        mask = getattr(regions, name)
        assert set(mask.any(dim=0).nonzero().flatten().tolist()) == inside, name
        assert mask[1:-1, sorted(inside)].all(), name
        assert not mask[[0, -1]].any(), name


@pytest.mark.parametrize(
    ("bars", "ec", "nc"),
    [
        (((12, 0), (4, 1), (16, 0)), 0.5, 1.0),  # one step in the core, one (columns 15, 16) in the band
        (((12, 0), (12, 1), (8, 0)), 0.5, 0.0),  # one in the core, one far away
        (((16, 0), (16, 1)), 0.0, 1.0),  # in the band only
        (((16, 0), (10, 1), (6, 0)), 0.0, 0.5),  # one in the band, one far away
        (((12, 0), (4, 3), (8, 1), (8, 0)), 0.5, 2 / 3),  # steps of 3, 2 and 1: core, band, far
        (((24, 0), (8, 1)), 0.0, 0.0),  # far away only
    ],
)
def test_ec_and_nc_closed_form(bars, ec, nc):
    scores = edge_fidelity(columns(*bars), image_with_edge_at(12))
    assert scores.ec.item() == pytest.approx(ec, abs=1e-5)
    assert scores.nc.item() == pytest.approx(nc, abs=1e-5)


def test_nc_over_the_total_energy():
    config = CONFIG.model_copy(update={"nc_norm": "total"})
    scores = edge_fidelity(columns((12, 0), (4, 3), (8, 1), (8, 0)), image_with_edge_at(12), config)
    assert scores.nc.item() == pytest.approx(1 / 3, abs=1e-5)


def test_nc_is_undefined_when_all_energy_is_in_the_core():
    scores = edge_fidelity(columns((12, 0), (20, 1)), image_with_edge_at(12))
    assert scores.ec.item() == pytest.approx(1.0, abs=1e-6)
    assert scores.reasons["nc"] == scores.reasons["ef"] == ("no_energy_outside_core",)
    assert scores.nc.isnan().all()
    assert scores.ef.isnan().all()


def test_ef_is_the_product(scene):
    scores = edge_fidelity(*scene(1))
    product = 100 * scores.ec * scores.nc * scores.fc * scores.sp
    torch.testing.assert_close(scores.ef, product, rtol=1e-12, atol=0)


def test_sobel_of_ramps():
    """A unit ramp has gradient 2 ([1 2 1] / 4 sums to 1, times the difference over 2 pixels)."""
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    assert torch.equal(sobel_magnitude(x)[:, 1:-1], torch.full((6, 5), 2.0))
    assert torch.equal(sobel_magnitude(y)[1:-1], torch.full((4, 7), 2.0))
    assert torch.equal(sobel_magnitude(x)[:, 0], torch.ones(6))  # replicated border


def test_luma_constants():
    """sRGB white has Y = 1; .5 has linear .21404; a colour is weighted by BT.709; dark values are linear."""
    colours = torch.tensor([[1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.04, 0.04, 0.04]])
    image = colours.T.reshape(1, 3, 1, 6)
    expected = torch.tensor([[1, 0.2140411, 0.2126, 0.7152, 0.0722, 0.04 / 12.92]])
    torch.testing.assert_close(luma(image, (1, 6)), expected, rtol=1e-5, atol=1e-7)


def test_edges_do_not_depend_on_brightness():
    """Scaling the luminance leaves the 0-1 gradient, and so every mask, as it is."""
    luminance = torch.rand(40, 50, generator=torch.Generator().manual_seed(0))
    bright, dark = image_gradient(luminance), image_gradient(luminance / 4)
    assert torch.equal(bright, dark)  # a power of two scales floats exactly
    torch.testing.assert_close(image_gradient(luminance / 3), bright, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("quantile", [0.05, 0.1, 0.4])
def test_edge_mask_has_the_share_asked_for(quantile):
    gradient = torch.rand(20, 31, generator=torch.Generator().manual_seed(0))
    mask = edge_mask(gradient, quantile)
    assert mask.sum().item() == math.ceil(quantile * 18 * 29)
    assert gradient[mask].min() > gradient[1:-1, 1:-1][~mask[1:-1, 1:-1]].max()
    line = centreline(gradient, mask)
    assert (mask | ~line).all()
    assert line.any()


def test_dilation_is_square():
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[4, 4] = True
    assert dilate(mask, 2)[2:7, 2:7].all()
    assert dilate(mask, 2).sum() == 25


def test_energy_shares_ignore_the_border():
    gradient = torch.ones(5, 6)
    core = torch.zeros(5, 6, dtype=torch.bool)
    near = core.clone()
    core[:, :2] = True  # 3 valid pixels
    near[:, 2] = True  # 3 valid pixels
    shares = energy_shares(gradient, core, near)
    assert (shares.core, shares.near, shares.far) == (0.25, 0.25, 0.5)


def test_fc_of_white_noise_is_the_area_share_of_the_spectrum():
    """rho < .15 is a disc of radius .15 / sqrt(2) cycles per pixel in the unit square of frequencies."""
    generator = torch.Generator().manual_seed(0)
    scores = [
        frequency_content(torch.randn(96, 128, generator=generator, dtype=torch.float64), 0.15).value
        for _ in range(8)
    ]
    assert np.mean(scores) == pytest.approx(1 - math.pi * (0.15 / math.sqrt(2)) ** 2, abs=0.005)


@pytest.mark.parametrize(("cycles", "expected"), [(1, 0.0), (3, 0.0), (16, 1.0), (30, 1.0)])
def test_fc_of_a_wave(cycles, expected):
    """A wave of c cycles over 64 pixels lies at rho = 2 c / 64 / sqrt(2); .15 is passed at c = 6.8."""
    wave = torch.sin(2 * math.pi * cycles * torch.arange(64, dtype=torch.float64) / 64).expand(64, 64)
    assert frequency_content(wave, 0.15).value == pytest.approx(expected, abs=1e-3)


def test_radial_frequency():
    rho = radial_frequency(8, 6)
    assert rho[0, 0] == 0
    assert rho[4, 3] == pytest.approx(1.0)  # the corner of the Nyquist square
    assert rho[4, 0] == pytest.approx(1 / math.sqrt(2))
    assert rho.shape == power_spectrum(torch.rand(8, 6)).shape


def test_shifted_correlation_of_a_wave():
    wave = torch.sin(2 * math.pi * torch.arange(48, dtype=torch.float64) / 16).expand(20, 48)
    assert shifted_correlation(wave, 0, 16) == pytest.approx(1.0)
    assert shifted_correlation(wave, 0, 8) == pytest.approx(-1.0)
    assert shifted_correlation(wave, 5, 0) == pytest.approx(1.0)


def test_shifted_correlation_equals_pearson_and_its_opposite():
    plane = torch.randn(13, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = np.corrcoef(plane[3:, :-2].flatten(), plane[:-3, 2:].flatten())[0, 1]
    assert shifted_correlation(plane, 3, -2) == pytest.approx(expected)
    assert shifted_correlation(plane, -3, 2) == pytest.approx(expected)


def test_shifted_correlation_of_a_constant_overlap_is_zero():
    plane = torch.zeros(8, 8, dtype=torch.float64)
    plane[:, 4:] = 1
    assert shifted_correlation(plane, 0, 5) == 0.0


def test_shift_radii():
    assert shift_radii(1, 9, 0.6, 16) == ()
    assert shift_radii(2, 9, 0.6, 16) == (1,)
    assert shift_radii(16, 16, 0.6, 16) == tuple(range(1, 10))
    assert shift_radii(48, 64, 0.6, 16)[-1] == 28


def test_sp_by_hand():
    """White noise decorrelates at the first radius, 1: SP = 1 / (1 + s / 64), s = (8 + 4) / 2."""
    plane = torch.randn(32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius = decorrelation_radius(plane, CONFIG)
    assert radius == 1
    sp = spatial_precision(radius, (32, 32), (256, 128), CONFIG)
    assert sp == pytest.approx(1 / (1 + 6 / 64))


def test_r_tau_is_the_first_radius_below_tau():
    coarse = torch.randn(1, 1, 6, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plane = torch.nn.functional.interpolate(coarse, size=(48, 64), mode="bicubic")[0, 0]
    curve = dict(correlation_curve(plane, (1, 2, 3, 4)))
    assert curve[1] > curve[2] > curve[3] > curve[4] > 0
    for radius, ncc in curve.items():
        just_above = CONFIG.model_copy(update={"tau": ncc + 1e-9})
        assert decorrelation_radius(plane, just_above) == radius
        assert decorrelation_radius(plane, CONFIG.model_copy(update={"tau": ncc})) > radius


def test_a_map_that_never_decorrelates_gets_the_last_radius():
    plane = torch.arange(32.0, dtype=torch.float64).expand(
        32, 32
    )  # a ramp correlates with itself at any shift
    assert decorrelation_radius(plane, CONFIG) == math.floor(0.6 * 32)


def test_flat_image_has_no_edges(scene):
    features, _ = scene(0)
    scores = edge_fidelity(features, torch.full((1, 3, 96, 128), 77, dtype=torch.uint8))
    assert scores.reasons == {
        "ec": ("no_edges",),
        "nc": ("no_edges",),
        "fc": (None,),
        "sp": (None,),
        "ef": ("no_edges",),
    }


def test_single_pixel_checkerboard_has_no_sobel_gradient():
    rows, cols = np.indices((32, 32))
    features = torch.from_numpy((rows + cols) % 2).float()[None, None]
    scores = edge_fidelity(features, image_with_edge_at(12))
    assert scores.reasons["ec"] == ("no_feature_gradient",)
