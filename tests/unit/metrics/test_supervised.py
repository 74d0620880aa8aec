"""SC_GT: features that follow the ground truth, ignore it, or cannot be held against it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.datasets.base import VOID, Instances, Sample
from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.clustering import clustering_points, drawn_pixels
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.structural_coherence import feature_contrast
from vfm_fusion.metrics.supervised import (
    SUPERVISED_SCORES,
    numbered,
    region_contrast,
    region_silhouette,
    regions_on_grid,
    score_regions,
)
from vfm_fusion.profiles.supervised_scores import sample_regions

CONFIG = MetricConfig(grid=4)


def stripes(size: tuple[int, int] = (24, 32), count: int = 4) -> Tensor:
    """``count`` vertical regions of equal size."""
    return (torch.arange(size[1]) * count // size[1]).repeat(size[0], 1)


def features_of(regions: Tensor, channels: int = 12, noise: float = 0.0, seed: int = 0) -> Tensor:
    """One random vector per region, ``(C, H, W)``, plus noise."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(int(regions.max()) + 1, channels, generator=generator)
    vectors *= torch.arange(1, len(vectors) + 1)[:, None]  # their norms differ as well
    return vectors[regions].permute(2, 0, 1) + noise * torch.randn(
        channels, *regions.shape, generator=generator
    )


def shuffled(regions: Tensor, seed: int = 1) -> Tensor:
    order = torch.randperm(regions.numel(), generator=torch.Generator().manual_seed(seed))
    return regions.flatten()[order].view(regions.shape)


def score(features: Tensor, regions: Tensor, config: MetricConfig = CONFIG) -> dict[str, float]:
    return {name: found.value for name, found in score_regions(FeatureMap(features), regions, config).items()}


def test_uniform_regions_that_differ_score_one() -> None:
    regions = stripes()
    assert score(features_of(regions), regions) == pytest.approx(dict.fromkeys(SUPERVISED_SCORES, 1.0))
    noisy = score(features_of(regions, noise=0.1), regions)
    assert 0.9 < noisy["sc_gt"] < 1.0


def test_permuted_labels_score_as_chance() -> None:
    regions = stripes(count=4)
    found = score(features_of(regions, noise=0.1), shuffled(regions))
    # Between groups drawn at random lies (k - 1) / (n - 1) of the variance on average.
    assert found["sfc_gt"] < 5 * 3 / (regions.numel() - 1)
    assert found["scs_gt"] <= 0.5
    assert found["sc_gt"] < 0.15


def test_contrast_of_equal_regions_is_sfc() -> None:
    features = FeatureMap(torch.randn(6, 24, 32, generator=torch.Generator().manual_seed(3)))
    cells = (torch.arange(24) * 4 // 24)[:, None] * 4 + torch.arange(32) * 4 // 32  # the 4 x 4 grid
    for config in (CONFIG, MetricConfig(grid=4, l2_clip=1.5)):
        expected = feature_contrast(features.l2, config).value
        assert region_contrast(features, cells, config).value == pytest.approx(expected, rel=1e-12)


def test_contrast_weighs_regions_by_size() -> None:
    norms = torch.tensor([[1.0, 3.0, 10.0, 10.0, 10.0, 12.0]])  # regions of 2 and 4 pixels
    regions = torch.tensor([[0, 0, 1, 1, 1, 1]])
    between = (2 * (2 - 46 / 6) ** 2 + 4 * (10.5 - 46 / 6) ** 2) / 6
    within = (2 * 1.0 + 4 * 0.75) / 6
    found = region_contrast(FeatureMap(norms[None]), regions, CONFIG)
    assert found.value == pytest.approx(between / (between + within), rel=1e-6)


def test_silhouette_is_that_of_scikit_learn_on_the_points_of_scs() -> None:
    from sklearn.metrics import silhouette_score

    regions = stripes(count=3)
    features = FeatureMap(features_of(regions, channels=40, noise=2.0))
    points = clustering_points(features, CONFIG, np.random.default_rng(CONFIG.seed)).numpy()
    expected = (silhouette_score(points, regions.flatten().numpy()) + 1) / 2
    assert region_silhouette(features, regions, CONFIG).value == pytest.approx(expected, abs=1e-5)


def test_drawn_pixels_keep_their_regions() -> None:
    """With more pixels than are drawn, a wrong pairing of points and labels would be chance."""
    regions = stripes((48, 64))
    config = MetricConfig(max_points=500, silhouette_points=200)
    assert score(features_of(regions), regions, config)["scs_gt"] == pytest.approx(1.0)
    rng = np.random.default_rng(config.seed)
    drawn = drawn_pixels(regions.numel(), config.max_points, np.random.default_rng(config.seed))
    features = FeatureMap(torch.arange(regions.numel(), dtype=torch.float32).view(1, 48, 64))
    points = clustering_points(features, config, rng)[:, 0].numpy()
    assert np.argsort(points).tolist() == np.argsort(drawn).tolist()


def test_void_pixels_do_not_count() -> None:
    regions = stripes()
    features = features_of(regions, noise=0.5)
    void = regions.clone()
    void[:, ::3] = -1
    clean = region_contrast(FeatureMap(features), void, CONFIG).value
    spoiled = features.clone()
    spoiled[:, :, ::3] = spoiled[:, :, ::3].flip(2)  # only void pixels change, and only their places
    assert region_contrast(FeatureMap(spoiled), void, CONFIG).value == pytest.approx(clean, rel=1e-9)
    assert region_contrast(FeatureMap(spoiled), regions, CONFIG).value < clean
    silhouettes = [region_silhouette(FeatureMap(f), void, CONFIG).value for f in (features, spoiled)]
    assert silhouettes[0] == pytest.approx(silhouettes[1], abs=1e-5)


def test_a_region_of_one_pixel_is_left_out() -> None:
    regions = stripes(count=2)
    features = features_of(regions, noise=0.5)
    lone = regions.clone()
    lone[0, 0] = 7
    gone = regions.clone()
    gone[0, 0] = -1
    assert score(features, lone) == score(features, gone)
    assert numbered(torch.tensor([5, 5, -1, -1, 3, 9, 9, 9])).tolist() == [0, 0, -1, -1, -1, 1, 1, 1]


@pytest.mark.parametrize(
    "regions",
    [
        pytest.param(torch.zeros(24, 32, dtype=torch.int64), id="one region"),
        pytest.param(torch.full((24, 32), -1), id="nothing labelled"),
        pytest.param(torch.arange(24 * 32).view(24, 32), id="single pixels"),
    ],
)
def test_fewer_than_two_regions_have_no_score_but_a_reason(regions: Tensor) -> None:
    found = score_regions(FeatureMap(features_of(stripes(), noise=0.1)), regions, CONFIG)
    assert all(math.isnan(value.value) for value in found.values())
    assert {value.reason for value in found.values()} == {reasons.FEWER_THAN_TWO_REGIONS}


def test_unusable_features_have_a_reason() -> None:
    constant = score_regions(FeatureMap(torch.ones(4, 24, 32)), stripes(), CONFIG)
    assert {value.reason for value in constant.values()} == {reasons.CONSTANT_FEATURES}
    unit = torch.nn.functional.normalize(features_of(stripes(), noise=1.0), dim=0)
    found = score_regions(FeatureMap(unit), stripes(), CONFIG)
    assert found["sfc_gt"].reason == found["sc_gt"].reason == reasons.CONSTANT_L2
    assert found["scs_gt"].reason is None


def test_a_repeated_map_scores_as_the_map_written_out() -> None:
    coarse = features_of(stripes((6, 8)), noise=1.0)
    written = coarse.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    regions = shuffled(stripes((24, 32), 3))
    found = score_regions(FeatureMap(coarse).repeated(4), regions, CONFIG)
    assert {name: value.value for name, value in found.items()} == pytest.approx(
        score(written, regions), rel=1e-4
    )


def test_labels_are_sampled_at_the_centres_of_feature_pixels() -> None:
    labels = np.arange(8 * 12, dtype=np.int32).reshape(8, 12)
    assert regions_on_grid(labels, (2, 3)).tolist() == [[26, 30, 34], [74, 78, 82]]
    nearest = torch.nn.functional.interpolate(
        torch.from_numpy(labels)[None, None].double(), size=(5, 7), mode="nearest-exact"
    )[0, 0]
    assert torch.equal(regions_on_grid(labels, (5, 7)), nearest.long())
    assert torch.equal(regions_on_grid(labels, (8, 12)), torch.from_numpy(labels).long())
    with pytest.raises(ShapeError, match=r"\(H0, W0\) integers"):
        regions_on_grid(labels.astype(float), (2, 3))
    with pytest.raises(ShapeError, match="bring them to its size"):
        score_regions(FeatureMap(torch.randn(3, 8, 8)), stripes(), CONFIG)


def test_regions_of_a_sample() -> None:
    semantic = np.array([[0, 1, VOID], [2, 2, 2]], dtype=np.uint8)
    objects = Instances(
        np.array([[0, 0, 0], [1, 2, 3]], dtype=np.int32), np.array([2, 2, 2]), np.array([True, False, False])
    )
    image = np.zeros((2, 3, 3), np.uint8)
    found = sample_regions(Sample("a", image, semantic, objects))
    assert found["semantic"].tolist() == [[0, 1, -1], [2, 2, 2]]
    assert found["instance"].tolist() == [[-1, -1, -1], [-1, 2, 3]]
    assert sample_regions(Sample("a", image, None, None)) == {"semantic": None, "instance": None}
