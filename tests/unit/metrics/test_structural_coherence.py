"""SFC in closed form; SCS against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from vfm_fusion.metrics import MetricConfig, structural_coherence
from vfm_fusion.metrics.clustering import clustering_points, mean_silhouette, silhouette_sample
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.kmeans import kmeans_labels
from vfm_fusion.metrics.principal import principal_scores
from vfm_fusion.metrics.structural_coherence import cell_moments, feature_contrast, grid_of

CONFIG = MetricConfig.of("paper")


def checkered_cells(side, cell):
    """A map that is 0 or 1 per cell, like a chess board of ``side`` x ``side`` cells."""
    rows, columns = np.indices((side * cell, side * cell)) // cell
    return torch.from_numpy((rows + columns) % 2).double()


@pytest.mark.parametrize("ripple", [0.0, 0.3, 1.0])
def test_sfc_closed_form(ripple):
    """Cell means 0 and 1 (variance 1/4), within each cell +-ripple (variance ripple^2)."""
    plane = checkered_cells(8, 4) + ripple * (2 * checkered_cells(32, 1) - 1)
    score = feature_contrast(plane, CONFIG)
    assert score.value == pytest.approx(0.25 / (0.25 + ripple**2), abs=1e-12)
    assert score.reason is None


def test_sfc_of_features_uses_the_l2_norm():
    """Two channels (3 m, 4 m) have norm 5 m, so SFC is that of m."""
    plane = 1 + checkered_cells(8, 4) + 0.3 * checkered_cells(32, 1)
    features = torch.stack([3 * plane, -4 * plane])[None]
    expected = feature_contrast(plane, CONFIG).value
    assert structural_coherence(features).sfc.item() == pytest.approx(expected, rel=1e-6)


def test_sfc_is_zero_when_all_cells_have_the_same_mean():
    assert feature_contrast(checkered_cells(32, 1), CONFIG).value == 0.0


def test_the_remainder_is_cropped_and_recorded():
    plane = torch.rand(21, 34, dtype=torch.float64)
    grid = grid_of(21, 34, CONFIG)
    assert (grid.cell_height, grid.cell_width, grid.cropped) == (2, 4, (5, 2))
    means, variances = cell_moments(plane, grid)
    cell = plane[2:4, 28:32]
    assert means[1, 7].item() == pytest.approx(cell.mean().item())
    assert variances[1, 7].item() == pytest.approx(cell.var(correction=0).item())
    assert structural_coherence(plane[None, None]).cropped == (5, 2)


@pytest.mark.parametrize("size", [(15, 31), (8, 31), (16, 8), (7, 90)])
def test_cells_of_fewer_than_four_pixels_are_refused(size):
    scores = structural_coherence(torch.rand(2, 3, *size))
    assert scores.sfc.isnan().all()
    assert scores.sc.isnan().all()
    assert scores.reasons["sfc"] == scores.reasons["sc"] == ("grid_too_fine",) * 2
    assert scores.scs.isfinite().all()


def test_the_reference_presets_have_no_smallest_cell():
    """A 24 x 32 map on the released code's 16 x 16 grid: cells of 1 x 2, eight rows left out."""
    ramp = np.hypot(*np.meshgrid(np.arange(32), np.arange(24)))
    wobble = np.where((np.arange(24)[:, None] + np.arange(32)) % 2, 6.0, -6.0)
    norm = 40 + ramp + wobble
    plane = (norm - norm.mean()) / norm.std()
    cells = [plane[i, 2 * j : 2 * j + 2] for i in range(16) for j in range(16)]
    between = np.var([cell.mean() for cell in cells])
    contrast = between / (between + np.mean([cell.var() for cell in cells]))
    assert contrast == pytest.approx(0.646, abs=1e-3)

    features = torch.from_numpy(norm).float()[None, None]
    released = structural_coherence(features, MetricConfig.of("reference_training"))
    assert released.sfc.item() == pytest.approx(contrast, rel=1e-6)
    assert released.cropped == (8, 0)
    for preset in ("paper", "calibrated"):
        refused = structural_coherence(features, MetricConfig.of(preset, grid=16))
        assert refused.sfc.isnan().all()
        assert refused.reasons["sfc"] == ("grid_too_fine",)
    fewer_rows_than_cells = structural_coherence(features[..., :15, :], MetricConfig.of("reference_training"))
    assert fewer_rows_than_cells.reasons["sfc"] == ("grid_too_fine",)


def test_constant_norm_leaves_scs_defined():
    """Features on the unit sphere, as after a normalisation over channels."""
    features = torch.nn.functional.normalize(torch.randn(1, 8, 32, 32), dim=1)
    scores = structural_coherence(features)
    assert scores.reasons == {"sfc": ("constant_l2",), "scs": (None,), "sc": ("constant_l2",)}


def test_scs_of_separate_groups_is_near_one():
    """Eight tight groups: k = 8 separates them all, and the median over k is of well separated groups."""
    generator = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(8, 12, generator=generator)
    labels = torch.arange(8).repeat_interleave(128)
    points = centres[labels] + 0.01 * torch.randn(1024, 12, generator=generator)
    features = points.T.reshape(1, 12, 32, 32)
    only_eight = CONFIG.model_copy(update={"clusters": (8,)})
    assert structural_coherence(features, only_eight).scs.item() > 0.99


def test_sc_is_the_geometric_mean(scene):
    scores = structural_coherence(scene(3)[0])
    assert scores.sc.item() == math.sqrt(scores.sfc.item() * scores.scs.item())


@pytest.mark.parametrize(
    ("channels", "size"), [(40, (70, 72)), (64, (20, 25)), (150, (8, 12)), (1, (20, 20))]
)
def test_scs_equals_scikit_learn(scene, channels, size):
    """KMeans and silhouette_score on the same points; and within .01 on scikit-learn's own components.

    The scene has no two restarts whose inertias agree to float32, of which scikit-learn may keep either.
    """
    features = scene(6, channels=channels, size=size)[0]
    ours = clustering_points(FeatureMap(features[0]), CONFIG, np.random.default_rng(0)).numpy()
    pixels = features[0].flatten(1).T.double().numpy()
    pixels = (pixels - pixels.mean(axis=0)) / (pixels.std(axis=0) + 1e-6)
    if len(pixels) > 4096:
        pixels = pixels[np.random.default_rng(0).choice(len(pixels), 4096, replace=False)]
    theirs = PCA(min(32, channels, len(pixels) - 1), svd_solver="full").fit_transform(pixels)
    scs = structural_coherence(features).scs.item()
    for points, tolerance in ((ours, 2e-6), (theirs.astype(np.float32), 0.01)):
        rng = np.random.default_rng(0)
        if features[0, 0].numel() > 4096:
            rng.choice(features[0, 0].numel(), 4096, replace=False)
        silhouettes = []
        for k in (6, 8, 10):
            labels = KMeans(k, n_init=10, random_state=0).fit(points).labels_
            sample = silhouette_sample(labels, 2000, rng)
            silhouettes.append(silhouette_score(points[sample], labels[sample]))
        assert scs == pytest.approx((np.median(silhouettes) + 1) / 2, abs=tolerance)


@pytest.mark.parametrize("k", [2, 6, 10])
def test_kmeans_equals_scikit_learn(k):
    points = np.random.default_rng(1).normal(size=(700, 5)).astype(np.float32)
    expected = KMeans(k, n_init=10, random_state=7).fit(points).labels_
    np.testing.assert_array_equal(kmeans_labels(torch.from_numpy(points), k, 10, 7), expected)


@pytest.mark.parametrize("n", [12, 499, 501, 1300])
def test_silhouette_equals_scikit_learn(n):
    rng = np.random.default_rng(n)
    points = rng.normal(size=(n, 4)).astype(np.float32)
    points[n // 2 :] = points[0]
    labels = np.concatenate([np.arange(5), rng.integers(0, 3, n - 5)])
    ours = mean_silhouette(torch.from_numpy(points), torch.from_numpy(labels))
    assert ours == pytest.approx(silhouette_score(points.astype(np.float64), labels), abs=1e-6)


def test_silhouette_sample_is_stratified():
    labels = np.repeat([0, 1, 2], [6000, 3000, 3])
    sample = silhouette_sample(labels, 2000, np.random.default_rng(0))
    assert np.bincount(labels[sample]).tolist() == [1333, 666, 2]
    assert np.unique(sample).size == sample.size
    np.testing.assert_array_equal(
        silhouette_sample(labels[:1500], 2000, np.random.default_rng(0)), range(1500)
    )


@pytest.mark.parametrize(("channels", "pixels"), [(7, 60), (60, 30)])
def test_principal_scores_equal_scikit_learn(channels, pixels):
    """By the covariance where n >= C, by the Gram matrix where n < C."""
    centred = torch.randn(channels, pixels, generator=torch.Generator().manual_seed(2))
    centred = centred - centred.mean(dim=1, keepdim=True)
    ours = principal_scores(centred, 5)
    expected = PCA(5, svd_solver="full").fit_transform(centred.T.double().numpy()).T
    signs = np.sign((ours.numpy() * expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours.numpy() * signs, expected, atol=1e-4)


def test_first_component_map_of_more_channels_than_pixels():
    features = torch.randn(90, 6, 7, generator=torch.Generator().manual_seed(2))
    flat = features.flatten(1).double().numpy()
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    expected = PCA(1, svd_solver="full").fit_transform(flat.T)[:, 0].reshape(6, 7)
    expected = (expected - expected.min()) / np.ptp(expected)
    ours = FeatureMap(features).first_component.numpy()
    assert min(np.abs(ours - expected).max(), np.abs(1 - ours - expected).max()) < 1e-4


def test_large_offsets_do_not_spoil_the_scores(scene):
    """A mean of 4096 standard deviations costs the z-scores only a constant, which no score sees."""
    features = (scene(4)[0] * 64).round() / 64
    near = FeatureMap(features[0]).tokens.at(torch.arange(768))
    far = FeatureMap(features[0] + 4096).tokens.at(torch.arange(768))
    torch.testing.assert_close(near, far - far.mean(dim=1, keepdim=True), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        FeatureMap(features[0]).first_component,
        FeatureMap(features[0] + 4096).first_component,
        rtol=0,
        atol=1e-4,
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3)])
def test_fewer_than_eight_pixels(size):
    scores = structural_coherence(torch.rand(1, 3, *size) + 1)
    assert scores.reasons["scs"] in {("too_few_pixels",), ("constant_features",)}
    assert scores.scs.isnan().all()


def test_no_k_with_two_points_per_cluster():
    scores = structural_coherence(torch.arange(9.0).reshape(1, 1, 3, 3))
    assert scores.reasons["scs"] == ("no_clustering",)
