"""Profiles of one image and their summary over images."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics import edge_fidelity, null_floor, structural_coherence
from vfm_fusion.metrics.effective_rank import rankme
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.profile import SCORES, profile_image, summarise


@pytest.fixture
def pyramid():
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, 96, 128), generator=generator, dtype=torch.uint8)
    features = {s: torch.randn(5, 96 // s, 128 // s, generator=generator) for s in (4, 8, 16, 32)}
    return {stride: FeatureMap(feature) for stride, feature in features.items()}, features, image


def test_profile_holds_every_score_of_every_definition_and_stride(pyramid):
    maps, features, image = pyramid
    config = ProfileConfig()
    frame = profile_image(maps, image, config)
    assert list(frame.columns) == ["definition", "stride", "score", "value", "reason"]
    assert frame["stride"].dtype == np.int64
    assert frame["value"].dtype == np.float64
    assert list(zip(frame["stride"], frame["definition"], frame["score"], strict=True)) == [
        (stride, definition, score)
        for stride in (4, 8, 16, 32)
        for definition in ("paper", "calibrated")
        for score in SCORES
    ]
    assert (frame["value"].isna() == frame["reason"].notna()).all()
    table = frame.set_index(["definition", "stride", "score"])
    for stride, feature in features.items():
        for name, definition in config.definitions.items():
            structure = structural_coherence(feature[None], definition)
            edges = edge_fidelity(feature[None], image, definition)
            floor = null_floor(feature[None], image, definition)
            assert table.loc[(name, stride, "rankme"), "value"] == rankme(FeatureMap(feature)).value
            for score in SCORES[:-1]:
                source = next(found for found in (structure, edges, floor) if hasattr(found, score))
                np.testing.assert_equal(
                    table.loc[(name, stride, score), "value"], getattr(source, score).item()
                )
    assert table.loc[("paper", 32, "sfc"), "reason"] == "grid_too_fine"


def test_profile_reads_strides_and_definitions_from_the_config(pyramid):
    maps, _, image = pyramid
    config = ProfileConfig(
        strides=(16, 4), definitions={"mine": MetricConfig.of("paper", grid=2, null_draws=0)}
    )
    frame = profile_image(maps, image, config)
    assert frame["stride"].unique().tolist() == [16, 4]
    assert frame["definition"].unique().tolist() == ["mine"]
    assert not frame["score"].str.endswith("null").any()
    assert frame["reason"].isna().all()


def test_profile_names_a_missing_stride(pyramid):
    maps, _, image = pyramid
    del maps[8]
    with pytest.raises(ShapeError, match=r"lacks output strides \[8\]"):
        profile_image(maps, image, ProfileConfig())


def test_a_feature_map_is_of_one_image():
    with pytest.raises(ShapeError, match=r"\(C, H, W\)"):
        FeatureMap(torch.rand(2, 5, 8, 8))


def scores_frame(values, stride=4, score="ef", reason="no_edges"):
    return pd.DataFrame(
        {
            "image_id": [f"{index:04d}" for index in range(len(values))],
            "definition": "paper",
            "stride": stride,
            "score": score,
            "value": np.asarray(values, dtype=np.float64),
            "reason": [reason if math.isnan(value) else None for value in values],
        }
    )


def test_summary_counts_undefined_images_apart():
    frame = pd.concat(
        [
            scores_frame([1.0, math.nan, 3.0, math.nan]),
            scores_frame([5.0] * 4, stride=8),
            scores_frame([math.nan] * 4, 16),
        ]
    )
    table = summarise(frame, bootstrap=200, seed=0).set_index("stride")
    names = ["definition", "score", "mean", "ci_low", "ci_high", "images", "undefined", "reason"]
    assert list(table.columns) == names
    assert table.loc[4, ["mean", "images", "undefined", "reason"]].tolist() == [2.0, 2, 2, "no_edges"]
    assert table.loc[8, ["mean", "ci_low", "ci_high", "images", "undefined"]].tolist() == [
        5.0,
        5.0,
        5.0,
        4,
        0,
    ]
    assert pd.isna(table.loc[8, "reason"])
    assert table.loc[16, ["mean", "ci_low", "ci_high"]].isna().all()
    assert table.loc[16, ["images", "undefined", "reason"]].tolist() == [0, 4, "no_edges"]


def test_interval_is_that_of_the_mean():
    """For many images the percentile bootstrap agrees with mean +- 1.96 standard errors."""
    values = np.random.default_rng(0).normal(10, 2, size=400)
    row = summarise(scores_frame(values), bootstrap=4000, seed=1).iloc[0]
    error = values.std() / math.sqrt(values.size)
    assert row["mean"] == pytest.approx(values.mean())
    assert row["ci_low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert row["ci_high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_summary_does_not_depend_on_row_order():
    frame = scores_frame(np.random.default_rng(0).normal(size=20))
    shuffled = frame.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        summarise(frame, bootstrap=100, seed=0), summarise(shuffled, bootstrap=100, seed=0), check_exact=False
    )


def test_summary_is_seeded():
    frame = scores_frame(np.random.default_rng(0).normal(size=20))
    first, again, other = (summarise(frame, bootstrap=100, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert first["ci_low"].item() != other["ci_low"].item()
