"""Feature maps: shared statistics, repeated and permuted maps, the first component of wide ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vfm_fusion.metrics import MetricConfig, null_floor
from vfm_fusion.metrics.edge_fidelity import score_edges
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import edge_regions
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.profile import score_map
from vfm_fusion.metrics.structural_coherence import score_structure
from vfm_fusion.metrics.token_maps import Tokens


@pytest.mark.parametrize("preset", ["paper", "reference_table5", "reference_training"])
@pytest.mark.parametrize(("size", "times"), [((24, 32), 4), ((40, 48), 2), ((5, 9), 4)])
def test_a_repeated_map_scores_as_the_written_out_one(scene, preset, size, times):
    features, image = scene(2, channels=12, size=size)
    config = MetricConfig.of(preset, grid=2, null_draws=0)
    dense = F.interpolate(features, scale_factor=times, mode="nearest-exact")[0]
    written, shared = FeatureMap(dense), FeatureMap(features[0]).repeated(times)
    assert (written.height, written.width) == (shared.height, shared.width)
    torch.testing.assert_close(written.l2, shared.l2, rtol=1e-5, atol=1e-6)
    indices = torch.randperm(written.pixels)[:50]
    torch.testing.assert_close(written.pixels_at(indices), shared.pixels_at(indices))
    torch.testing.assert_close(written.channel_gradient(), shared.channel_gradient(), rtol=1e-4, atol=1e-5)
    expected, scores = (score_map(one, unit_range(image), config) for one in (written, shared))
    for name, score in scores.items():
        tolerance = 0.01 if name in ("scs", "sc") else 1e-4
        assert score.reason == expected[name].reason, name
        assert score.value == pytest.approx(expected[name].value, rel=tolerance, nan_ok=True), name


@pytest.mark.parametrize("preset", ["paper", "reference_table5", "reference_training"])
def test_a_permuted_map_scores_as_one_of_permuted_features(scene, preset):
    features, image = scene(5, channels=9)
    config = MetricConfig.of(preset, grid=2)
    order = torch.randperm(24 * 32, generator=torch.Generator().manual_seed(1))
    mixed = FeatureMap(features[0].flatten(1)[:, order].view_as(features[0]))
    shared = FeatureMap(features[0]).permuted(order)
    regions = edge_regions(unit_range(image), (24, 32), config)
    expected, scores = (score_edges(one, regions, (96, 128), config) for one in (mixed, shared))
    for name, score in scores.items():
        assert score.value == pytest.approx(expected[name].value, rel=1e-4), name
    assert score_structure(shared, config)["sfc"].value == pytest.approx(
        score_structure(mixed, config)["sfc"].value, rel=1e-6
    )


def test_chance_counts_what_was_repeated_once():
    """Noise is at chance however often its pixels are repeated; its null keeps the repetitions together."""
    config = MetricConfig.of("calibrated", grid=4, clusters=(2, 4), n_init=1)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(8, 24, 40, generator=generator)
    image = torch.rand(1, 3, 384, 640, generator=generator)
    for features in (FeatureMap(noise), FeatureMap(noise).repeated(4)):
        scores = score_map(features, image, config)
        assert [scores[name].value for name in ("sfc", "ec", "ef", "sc_null", "ef_null")] == [0.0] * 5
    order = torch.randperm(24 * 40, generator=generator)
    shared = FeatureMap(noise).repeated(2).permuted(order)
    mixed = FeatureMap(noise.flatten(1)[:, order].view_as(noise)).repeated(2)
    torch.testing.assert_close(shared.l2, mixed.l2)


def test_null_floor_is_the_mean_over_its_draws(scene):
    features, images = scene(3, batch=2)
    one = null_floor(features, images, MetricConfig.of("paper", null_draws=1))
    five = null_floor(features, images, MetricConfig.of("paper", null_draws=5))
    alone = null_floor(features[1:], images[1:], MetricConfig.of("paper", null_draws=5))
    assert not torch.equal(one.ef_null, five.ef_null)
    assert five.ef_null[1] == alone.ef_null[0]
    assert five.sc_null[1] == alone.sc_null[0]
    assert five.reasons == {"sc_null": (None, None), "ef_null": (None, None)}


def test_the_null_of_noise_is_noise():
    """White noise has nothing to lose by a permutation."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(4, 8, 64, 96, generator=generator)
    images = torch.randint(0, 256, (4, 3, 256, 384), generator=generator, dtype=torch.uint8)
    from vfm_fusion.metrics import edge_fidelity, structural_coherence

    floor = null_floor(features, images)
    torch.testing.assert_close(edge_fidelity(features, images).ef, floor.ef_null, rtol=0.05, atol=0)
    torch.testing.assert_close(structural_coherence(features).sc, floor.sc_null, rtol=0.3, atol=0)


def spectrum_of(kind, channels=512, tokens=40_000):
    """Tokens with a known kind of spectrum; wide and many enough for the search without a covariance."""
    generator = torch.Generator().manual_seed(4)
    white = torch.randn(channels, tokens, generator=generator)
    if kind == "noise":
        return white
    if kind == "power law":
        mixing = torch.randn(channels, channels, generator=generator)
        return (mixing / torch.arange(1.0, channels + 1).sqrt()) @ white + 2
    if kind == "large means":
        return white + 1000 * torch.rand(channels, 1, generator=generator)
    signal = torch.randn(channels, 3, generator=generator)
    weights = torch.tensor([[2.0], [1.99 if kind == "twins" else 1.0], [0.5]])
    return signal @ (weights * torch.randn(3, tokens, generator=generator)) + white


@pytest.mark.parametrize("kind", ["power law", "three sources", "twins", "noise", "large means"])
def test_first_component_equals_that_of_the_covariance(kind):
    features = spectrum_of(kind)
    searched, exact = Tokens(features).first_component, Tokens(features).components(1)[0]
    exact = exact * torch.sign((exact * searched).sum())
    error = torch.linalg.vector_norm(searched - exact) / torch.linalg.vector_norm(exact)
    assert float(error) < 1e-4


def test_the_search_is_used_where_it_pays(monkeypatch):
    """It answers for real-looking spectra, and gives way to the covariance where there is no gap."""
    calls = []
    original = Tokens.components
    monkeypatch.setattr(
        Tokens, "components", lambda self, count: calls.append(count) or original(self, count)
    )
    for kind, fallback in (("power law", False), ("three sources", False), ("noise", True)):
        calls.clear()
        _ = Tokens(spectrum_of(kind)).first_component
        assert bool(calls) is fallback, kind
