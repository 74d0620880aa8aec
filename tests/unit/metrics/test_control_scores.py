"""Controls of generated images: a row for everything, each map scored as an encoder's would be."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.controls import ControlsConfig, controlled_definitions
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.metrics import PRESETS, MetricConfig, ProfileConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import ConfigError
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.controls import CONTROLS, control_map
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.profile import SCORES, score_map
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.profiles.control_order import COMPARISONS, check_controls
from vfm_fusion.profiles.control_scores import control_seed, score_controls
from vfm_fusion.study.resolve import resolve

OVERLAYS = Path(__file__).parents[3] / "experiments"
IMAGES = 5
CONFIG = ProfileConfig(
    strides=(4, 8),
    definitions={
        "paper": MetricConfig.of("paper", grid=4),
        "reference_table5": MetricConfig.of("reference_table5", null_draws=0),
    },
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Five generated scenes of 128 x 256 pixels."""
    root = tmp_path_factory.mktemp("scenes") / "mini"
    config = MiniscapesConfig(kind="miniscapes", train=1, val=IMAGES, height=128, width=256)
    generate(config, root, workers=1)
    return open_dataset(config, root, index_split(config, root, "val").frame)


@pytest.fixture(scope="module")
def scores(dataset: Dataset) -> pd.DataFrame:
    return score_controls(dataset, CONFIG, None)


def test_every_image_definition_control_stride_and_score_has_a_row(scores: pd.DataFrame) -> None:
    keys = ["image_id", "definition", "control", "stride", "score"]
    assert list(scores.columns) == [*keys, "value", "reason"]
    assert not scores.duplicated(keys).any()
    per_map = len(SCORES) + len(SCORES) - 2  # without null_draws there is neither null
    assert len(scores) == IMAGES * len(CONTROLS) * 2 * per_map
    assert (scores["value"].isna() == scores["reason"].notna()).all()


def test_a_control_is_scored_as_any_map(dataset: Dataset, scores: pd.DataFrame) -> None:
    image_id = dataset.ids[2]
    image = torch.tensor(dataset.image(2)).permute(2, 0, 1)[None]
    for control in ("blurred", "noise"):
        features = FeatureMap(control_map(control, image, 8, control_seed(image_id)))
        expected = score_map(features, unit_range(image), CONFIG.definitions["paper"])
        own = scores[
            (scores["image_id"] == image_id)
            & (scores["control"] == control)
            & (scores["stride"] == 8)
            & (scores["definition"] == "paper")
        ].set_index("score")["value"]
        assert own.to_dict() == pytest.approx({name: found.value for name, found in expected.items()})


def test_a_constant_map_is_undefined_with_a_reason(scores: pd.DataFrame) -> None:
    constant = scores[scores["control"] == "constant"]
    assert constant["value"].isna().all()
    assert set(constant["reason"]) == {reasons.CONSTANT_FEATURES}


def test_chance_is_another_one_on_every_image(scores: pd.DataFrame) -> None:
    """A constant seed would give all images the same noise, and its luck would not average out."""
    noise = scores[(scores["control"] == "noise") & (scores["score"] == "scs") & (scores["stride"] == 4)]
    assert noise.groupby("definition")["value"].nunique().tolist() == [IMAGES, IMAGES]


def test_fewer_images_are_evenly_spaced_and_score_the_same(dataset: Dataset, scores: pd.DataFrame) -> None:
    fewer = score_controls(dataset, CONFIG, 2)
    assert list(fewer["image_id"].unique()) == [dataset.ids[0], dataset.ids[2]]
    same = scores[scores["image_id"].isin(fewer["image_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(fewer, same)


def test_the_released_profiling_code_ranks_noise_above_edges(scores: pd.DataFrame) -> None:
    """What the design says of it: under reference_table5 white noise scores above real edges."""
    checks = check_controls(scores).set_index(["definition", "stride", "control", "other"])
    assert not checks.loc[("reference_table5", 4, "edges", "noise"), "holds"]
    assert checks.loc[("reference_table5", 4, "edges", "blurred"), "holds"]
    assert len(checks) == 2 * 2 * (len(COMPARISONS) + 2)


def test_the_table_is_written_to_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_parquet(tmp_path / name, score_controls(dataset, CONFIG, 1))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_preset_is_among_the_definitions() -> None:
    configured = {"own": MetricConfig.of("paper", grid=4, tau=0.4), "paper": MetricConfig.of("paper", grid=2)}
    found = controlled_definitions(configured, "own")
    assert list(found) == [*PRESETS, "own"]
    assert found["paper"] == configured["paper"]
    assert found["own"] == configured["own"]
    assert found["calibrated"] == MetricConfig.of("calibrated", grid=4)
    assert found["reference_training"] == MetricConfig.of("reference_training")
    assert found["reference_table5"] == MetricConfig.of("reference_table5")


def test_the_section_has_a_default_and_a_limit() -> None:
    assert ControlsConfig().images == 8
    assert resolve({"controls": {"images": None}}, OVERLAYS).controls.images is None
    with pytest.raises(ConfigError, match=r"controls\.images"):
        resolve({"controls": {"images": 0}}, OVERLAYS)


def test_no_encoder_takes_the_name_of_the_controls() -> None:
    encoder = {"architecture": "mini_vit", "weights": {"source": "seeded", "seed": 1}}
    with pytest.raises(ConfigError, match=r"encoders\.controls.*call the encoder something else"):
        resolve({"encoders": {"controls": encoder}}, OVERLAYS)
