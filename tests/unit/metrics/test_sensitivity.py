"""Sweeps: the same scores as the definitions give one by one, each factor computed once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.config.metrics import PRESETS, MetricConfig, ProfileConfig
from vfm_fusion.config.sensitivity import FACTOR_SETTINGS, SensitivityConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.features.extract import extraction
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics import map_scores
from vfm_fusion.metrics.edge_fidelity import score_edges
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import edge_regions
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.map_scores import SWEPT_SCORES, MapScores, sweep_image
from vfm_fusion.metrics.structural_coherence import score_structure
from vfm_fusion.profiles.settings_sweep import sweep_store, tables_of_seeds
from vfm_fusion.selection.stability import image_scores

SMALL = {"clusters": (3, 5), "n_init": 2}
"""Cheap clustering for small maps."""
OTHER = {
    "sfc_cells": "pixels",
    "grid": 4,
    "cell_pixels": 5,
    "smallest_cell": 1000,
    "l2_clip": 1.0,
    "chance_deviations": 0.0,
    "pca_dims": 2,
    "clusters": (4,),
    "max_points": 100,
    "silhouette_points": 50,
    "n_init": 1,
    "seed": 5,
    "gradient": "channels",
    "feature_quantile": 0.2,
    "ec_region": "core_and_near",
    "nc_norm": "total",
    "edge_quantile": 0.3,
    "antialias": True,
    "r_in": 1,
    "r_out": 6,
    "fc_map": "pca1",
    "fc_clip": 1.0,
    "fc_radius": "linspace",
    "fc_band": "resolvable",
    "yardstick": "image",
    "rho_low": 0.4,
    "sp_map": "l2_highpass",
    "sp_stride": "one",
    "tau": 0.9,
    "max_shift": 0.2,
    "n_radii": 3,
    "gamma": 0.5,
}
"""Another value of every setting."""
BASES = (
    MetricConfig(**SMALL),
    MetricConfig(**SMALL, sfc_cells="pixels", tau=0.1),
    MetricConfig(**{**SMALL, "clusters": (9,)}, tau=0.05),
    MetricConfig.of("calibrated", **SMALL),
    MetricConfig.of("calibrated", **SMALL, tau=0.1),
    MetricConfig(**SMALL, yardstick="image", tau=0.05),
    MetricConfig(**SMALL, yardstick="image", tau=0.3),
    MetricConfig(**SMALL, rho_low=0.01),
)
Case = tuple[FeatureMap, Tensor]


def direct(case: Case, config: MetricConfig) -> dict[str, tuple[float, str | None]]:
    """The scores as a profile computes them."""
    features, image = case
    size = (image.shape[-2], image.shape[-1])
    regions = edge_regions(image, (features.height, features.width), config)
    return score_structure(features, config) | score_edges(features, regions, size, config)


def factors(case: Case, config: MetricConfig) -> dict[str, tuple[object, ...]]:
    scores = direct(case, config)
    return {
        name: tuple(map(str, (scores["ec"], scores["nc"]) if name == "concentration" else (scores[name],)))
        for name in FACTOR_SETTINGS
    }


@pytest.fixture
def cases(scene: Callable[..., tuple[Tensor, Tensor]]) -> list[Case]:
    made = []
    for seed in (0, 1):
        features, images = scene(seed)
        made.append((FeatureMap(features[0]), unit_range(images)))
    ramp = torch.linspace(0, 3, 32).expand(6, 24, 32) * torch.arange(1.0, 7.0)[:, None, None]
    smooth = ramp + 0.01 * torch.randn(6, 24, 32, generator=torch.Generator().manual_seed(2))
    soft = torch.nn.functional.interpolate(made[0][1][..., ::16, ::16], size=(96, 128), mode="bicubic").clamp(
        0, 1
    )
    grain = torch.randn(soft.shape, generator=torch.Generator().manual_seed(4))
    grainy = (soft + 0.3 * grain).clamp(0, 1)
    noise = FeatureMap(torch.randn(6, 24, 32, generator=torch.Generator().manual_seed(3)))
    return [*made, (FeatureMap(smooth), made[0][1]), (noise, soft), (noise, grainy)]


@pytest.mark.parametrize("setting", OTHER)
def test_a_setting_changes_the_factors_it_is_declared_for_and_no_other(
    setting: str, cases: list[Case]
) -> None:
    changed = set()
    for case in cases:
        for base in BASES:
            before = factors(case, base)
            after = factors(case, base.model_copy(update={setting: OTHER[setting]}))
            changed |= {name for name in FACTOR_SETTINGS if before[name] != after[name]}
    assert changed == {name for name, settings in FACTOR_SETTINGS.items() if setting in settings}


def test_every_setting_of_a_factor_has_another_value_here() -> None:
    assert set(OTHER) == {name for settings in FACTOR_SETTINGS.values() for name in settings}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_sweep_gives_the_scores_of_its_definitions(preset: str, cases: list[Case]) -> None:
    baseline = MetricConfig.of(preset, **SMALL)
    sweeps = {name: [value] for name, value in OTHER.items()}
    variants = SensitivityConfig(sweeps=sweeps).variants(baseline)
    case = cases[0]
    scorer = MapScores(*case)
    for setting, value, _, definition in variants:
        np.testing.assert_equal(scorer.scores(definition), direct(case, definition), f"{setting} {value}")


def test_a_factor_is_computed_once_for_what_it_depends_on(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def count(name: str) -> None:
        compute = getattr(map_scores, name)

        def counted(*arguments: object) -> object:
            calls.append(name)
            return compute(*arguments)

        monkeypatch.setattr(map_scores, name, counted)

    for name in ("clustering_score", "score_contrast", "edge_regions", "frequency", "precision"):
        count(name)
    scorer = MapScores(*cases[0])
    sweeps = {"rho_low": [0.3, 0.4], "tau": [0.2], "nc_norm": ["total"], "clusters": [[2]], "grid": [4]}
    for variant in SensitivityConfig(sweeps=sweeps).variants(MetricConfig(**SMALL)):
        scorer.scores(variant.definition)
    assert {name: calls.count(name) for name in calls} == {
        "clustering_score": 2,
        "score_contrast": 2,
        "edge_regions": 1,
        "frequency": 3,
        "precision": 2,
    }


def test_a_map_without_scores_says_why() -> None:
    image = torch.rand(1, 3, 64, 64)
    scores = MapScores(FeatureMap(torch.ones(4, 16, 16)), image).scores(MetricConfig())
    assert {name: score.reason for name, score in scores.items()} == dict.fromkeys(
        SWEPT_SCORES, "constant_features"
    )


def test_a_frame_holds_every_variant_stride_and_score(
    scene: Callable[..., tuple[Tensor, Tensor]],
) -> None:
    features, images = scene(3)
    pyramid = {4: FeatureMap(features[0]), 8: FeatureMap(features[0, :, ::2, ::2])}
    variants = SensitivityConfig(sweeps={"grid": [2, 8], "tau": [0.3]}).variants(
        MetricConfig(grid=4, **SMALL)
    )
    frame = sweep_image(pyramid, images, variants)
    assert list(frame.columns) == [
        "setting",
        "setting_value",
        "baseline",
        "stride",
        "score",
        "value",
        "reason",
    ]
    assert len(frame) == 2 * 5 * len(SWEPT_SCORES)
    assert (frame["value"].isna() == frame["reason"].notna()).all()
    own = frame[frame["baseline"]]
    assert own[["setting", "setting_value"]].drop_duplicates().to_numpy().tolist() == [
        ["grid", "4"],
        ["tau", "0.5"],
    ]
    values = frame.set_index(["setting", "setting_value", "stride", "score"])
    expected = direct((pyramid[8], unit_range(images)), variants[0].definition)
    assert values.loc[("grid", "2", 8, "sc"), "value"] == expected["sc"].value
    assert values.loc[("grid", "8", 8, "sc"), "reason"] == "grid_too_fine"
    assert values.loc[("grid", "2", 8, "ef"), "value"] == values.loc[("grid", "8", 8, "ef"), "value"]
    with pytest.raises(ShapeError, match="RGB"):
        sweep_image(pyramid, images[:, :1], variants)


class Photos:
    """Random images behind the methods of a data set that extraction and sweeps use."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self.ids = tuple(f"image {index}" for index in range(count))
        self._images = [rng.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.ids)

    def size_of(self, index: int) -> tuple[int, int]:
        return self._images[index].shape[:2]

    def image(self, index: int) -> np.ndarray:
        return self._images[index]


def test_a_store_is_swept_on_evenly_spaced_images(tmp_path: Path) -> None:
    photos, manifest = Photos(5), tmp_path / "mini.zarr.manifest.json"
    extraction(
        dataset=photos,
        dataset_name="photos",
        encoder_name="mini",
        encoder_config=EncoderConfig(
            architecture="mini_hiera", weights=SeededWeights(source="seeded", seed=1)
        ),
        settings=FeaturesConfig(batch_size=2),
        token="t",
        manifest_path=manifest,
        state_dir=tmp_path / "state",
    ).run()
    maps, baseline = ProfileConfig(strides=(4, 8)), MetricConfig(grid=2, **SMALL)
    sweeps = {"rho_low": [0.3], "seed": [3]}

    def swept(images: int | None) -> pd.DataFrame:
        config = SensitivityConfig(images=images, sweeps=sweeps)
        return sweep_store(FeatureStore(manifest), photos, maps, baseline, config)

    some, every = swept(2), swept(None)
    assert some["image_id"].unique().tolist() == ["image 0", "image 2"]
    assert every["image_id"].unique().tolist() == list(photos.ids)
    same = every[every["image_id"].isin(some["image_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, some)

    seeds = tables_of_seeds({"mini": some, "twin": some}, "paper")
    assert list(seeds) == [0, 3]
    own, other = (image_scores(seeds[seed], "paper") for seed in (0, 3))
    assert (own.encoders, own.strides, own.images) == (("mini", "twin"), (4, 8), ("image 0", "image 2"))
    expected = some.query("setting == 'seed' and setting_value == '3' and score == 'sc' and stride == 8")
    one_each = np.ones((1, 2))
    assert other.means(one_each)["sc"][0, 1, 1] == pytest.approx(expected["value"].mean())
    assert not np.array_equal(own.means(one_each)["sc"], other.means(one_each)["sc"])
    assert tables_of_seeds({"mini": some[some["setting"] == "rho_low"]}, "paper") == {}
