"""Properties that hold for any input."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics import MetricConfig, edge_fidelity, structural_coherence
from vfm_fusion.metrics.concentration import energy_shares
from vfm_fusion.metrics.edge_fidelity import EF_SCORES
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import edge_mask, edge_regions, image_gradient, luma
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.sobel import sobel_magnitude
from vfm_fusion.metrics.structural_coherence import SC_SCORES

PRESETS = ("paper", "reference_table5", "reference_training", "calibrated")


def fast(preset):
    """A preset with a small grid and little clustering."""
    return MetricConfig.of(preset, clusters=(2, 4), n_init=2)


FAST = fast("paper")
UPPER = {"ef": 100.0}
CLUSTERED = {"scs", "sc"}
"""Scores behind which rounding may lead k-means to another local optimum."""


def all_scores(features, images, config=FAST):
    structure, edges = structural_coherence(features, config), edge_fidelity(features, images, config)
    values = {name: getattr(structure, name) for name in SC_SCORES}
    values |= {name: getattr(edges, name) for name in EF_SCORES}
    return values, structure.reasons | edges.reasons


def make(seed, channels, size, image_size, batch=1):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, channels, *size, generator=generator).cumsum(dim=-1)
    images = torch.randint(0, 256, (batch, 3, *image_size), generator=generator, dtype=torch.uint8)
    return features, images


def assert_same_scores(features, others, images):
    for preset in PRESETS:
        config = MetricConfig.of(preset, clusters=(2, 4), n_init=10)
        values, _ = all_scores(features, images, config)
        other_values, _ = all_scores(others, images, config)
        for name, value in values.items():
            tolerance = 1e-2 if name in CLUSTERED else 1e-4
            torch.testing.assert_close(
                other_values[name],
                value,
                rtol=1e-3,
                atol=tolerance,
                equal_nan=True,
                msg=lambda m, n=f"{preset} {name}": f"{n}: {m}",
            )


seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 24)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    channels=st.integers(1, 40),
    size=st.tuples(sides, sides),
    stride=st.sampled_from([1, 2, 4, 37]),
    kind=st.sampled_from(["smooth", "noise", "two_level", "spike", "constant"]),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    preset=st.sampled_from(PRESETS),
)
def test_every_score_is_in_range_or_undefined_with_a_reason(
    seed, channels, size, stride, kind, dtype, preset
):
    features, images = make(seed, channels, size, (size[0] * stride, size[1] * stride))
    if kind == "noise":
        features = torch.randn_like(features)
    elif kind == "two_level":
        features = (features > 0).float()
    elif kind == "spike":
        features = torch.zeros_like(features)
        features[..., -1, -1] = 1
    elif kind == "constant":
        features = features[..., :1, :1].expand_as(features)
    values, reasons = all_scores(features.to(dtype), images, fast(preset))
    for name, value in values.items():
        assert value.shape == (1,)
        assert value.dtype == torch.float64
        reason = reasons[name][0]
        assert bool(value.isnan()) == (reason is not None), (name, value, reason)
        if reason is None:
            assert 0.0 <= value.item() <= UPPER.get(name, 1.0), name


@settings(max_examples=15, deadline=None)
@given(seed=seeds, channels=st.integers(2, 12), height=st.integers(16, 24), width=st.integers(16, 24))
def test_channel_order_does_not_matter(seed, channels, height, width):
    features, images = make(seed, channels, (height, width), (96, 80))
    order = torch.randperm(channels, generator=torch.Generator().manual_seed(seed % 1000))
    assert_same_scores(features, features[:, order], images)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, exponent=st.integers(-4, 8))
def test_positive_scaling_does_not_matter(seed, exponent):
    features, images = make(seed, 5, (18, 20), (72, 80))
    assert_same_scores(features, features * 2.0**exponent, images)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, exponent=st.integers(1, 4))
def test_image_brightness_does_not_matter(seed, exponent):
    """Edges are relative to the image's own gradient, so linear light may be scaled."""
    _, images = make(seed, 1, (8, 8), (60, 72))
    luminance = luma(unit_range(images), (30, 36))
    bright, dim = (image_gradient(scale * luminance) for scale in (1.0, 2.0**-exponent))
    torch.testing.assert_close(bright, dim, rtol=0, atol=1e-6)
    for quantile in (0.1, 0.4):
        assert torch.equal(edge_mask(bright, quantile), edge_mask(dim, quantile))


@settings(max_examples=15, deadline=None)
@given(seed=seeds, size=st.tuples(st.integers(5, 40), st.integers(5, 40)))
def test_energy_shares_sum_to_one(seed, size):
    features, images = make(seed, 3, size, (64, 64))
    regions = edge_regions(unit_range(images), size, FAST)
    gradient = sobel_magnitude(FeatureMap(features[0]).first_component)
    shares = energy_shares(gradient, regions.core, regions.near)
    assert shares.core + shares.near + shares.far == pytest.approx(1.0, abs=1e-12)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, channels=st.integers(1, 40), width=st.integers(15, 30))
def test_batch_mates_do_not_matter(seed, channels, width):
    """Bit by bit: alone, in any position, and beside an image without a defined score."""
    features, images = make(seed, channels, (17, width), (66, 90), batch=3)
    features[1] = torch.nan
    together, reasons = all_scores(features, images)
    reverse, _ = all_scores(features.flip(0), images.flip(0))
    for index in (0, 2):
        alone, _ = all_scores(features[index : index + 1], images[index : index + 1])
        for name in together:
            expected = alone[name][0].nan_to_num(-1.0)
            assert together[name][index].nan_to_num(-1.0) == expected, name
            assert reverse[name][2 - index].nan_to_num(-1.0) == expected, name
    assert all(reasons[name][1] == "nan_features" for name in together)


def test_memory_layout_does_not_matter(scene):
    features, images = scene(0, batch=2)
    values, _ = all_scores(features, images)
    strided, _ = all_scores(features.to(memory_format=torch.channels_last), images)
    assert all(torch.equal(values[name], strided[name]) for name in values)


def test_inputs_are_left_as_they_were(scene):
    features, images = scene(0)
    before = features.clone(), images.clone()
    all_scores(features, images)
    assert torch.equal(features, before[0])
    assert torch.equal(images, before[1])


def test_float_and_uint8_images_agree(scene):
    features, images = scene(0)
    by_bytes = edge_fidelity(features, images, FAST)
    by_floats = edge_fidelity(features, images.float() / 255, FAST)
    assert torch.equal(by_bytes.ef, by_floats.ef)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(float("nan"), "nan_features"), (float("inf"), "inf_features"), (1e30, "overflow_features")],
)
def test_one_bad_value_makes_every_score_undefined(scene, value, reason):
    features, images = scene(0)
    features[0, 2, 5, 6] = value
    values, reasons = all_scores(features, images)
    assert all(score.isnan().all() for score in values.values())
    assert all(given == (reason,) for given in reasons.values())


@pytest.mark.parametrize(
    ("features", "images", "message"),
    [
        (torch.rand(3, 8, 8), torch.rand(1, 3, 8, 8), "B, C, H, W"),
        (torch.rand(1, 0, 8, 8), torch.rand(1, 3, 8, 8), "empty"),
        (torch.ones(1, 2, 8, 8, dtype=torch.int32), torch.rand(1, 3, 8, 8), "floating point"),
        (torch.rand(2, 2, 8, 8), torch.rand(1, 3, 8, 8), "2 feature maps but 1 images"),
        (torch.rand(1, 2, 8, 8), torch.rand(1, 1, 8, 8), "RGB"),
        (torch.rand(1, 2, 8, 8), 255 * torch.rand(1, 3, 8, 8), r"\[0, 1\]"),
        (torch.rand(1, 2, 8, 8), -torch.rand(1, 3, 8, 8), r"\[0, 1\]"),
        (torch.rand(1, 2, 8, 8), torch.full((1, 3, 8, 8), torch.nan), r"\[0, 1\]"),
        (torch.rand(1, 2, 8, 8), torch.ones(1, 3, 8, 8, dtype=torch.int64), "uint8"),
    ],
)
def test_wrong_inputs_are_named(features, images, message):
    with pytest.raises(ShapeError, match=message):
        edge_fidelity(features, images)
