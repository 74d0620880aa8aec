"""experiments/interactive_paper.yaml is the published grid by the published recipe; what it needs is said."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vfm_fusion.config.schema import Config
from vfm_fusion.errors import ConfigError
from vfm_fusion.study import clicking
from vfm_fusion.study.interactive_settings import ClickSettings
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

ROOT = Path(__file__).parents[3]
PUBLISHED = pd.read_csv(ROOT / "resources/published/isegprobe.csv").query(
    "table == 'clicks' and metric == 'NoC@90'"
)
NEWER = {"jafar", "anyup", "naf", "uplift"}


def experiment(**changes: Any) -> Config:
    return resolve({"experiment": "interactive_paper", **changes}, ROOT / "experiments")


@pytest.fixture(scope="module")
def paper() -> Config:
    return experiment()


def test_the_grid_is_the_published_one_and_the_newer_upsamplers(paper: Config) -> None:
    clicks = paper.interactive
    published = set(PUBLISHED[["dataset", "mode", "model"]].itertuples(index=False, name=None))
    assert len(published) == 4 * 2 * 5
    titles = {name.casefold(): name for name in PUBLISHED["dataset"]}
    measured = [
        (
            titles[paper.datasets[target].kind],
            clicks.click_models[cell.clicks].click_encoder,
            paper.upsamplers[cell.upsampler].architecture,
        )
        for cell in clicks.cells
        for target in clicks.tested_on
    ]
    assert set(Counter(measured).values()) == {1}
    assert published <= set(measured)
    beyond = Counter(architecture for _, _, architecture in set(measured) - published)
    assert beyond == dict.fromkeys(NEWER, 4 * 2)
    assert {cell.encoder for cell in clicks.cells} == {"dinov2"}
    assert (paper.encoders["dinov2"].architecture, paper.encoders["dinov2"].resolution) == (
        "dinov2_vits14",
        224,
    )
    assert paper.upsamplers["featup"].settings == {}, "iSegProbe leaves FeatUp's norm out"


def test_a_job_is_planned_for_every_cell_and_data_set(paper: Config) -> None:
    study = Study(paper)
    assert len(clicking.of_cells(study, "click_model")) == 2 * 9
    assert len(clicking.clicked(study, "clicked_scores")) == 2 * 9 * 4
    assert len(clicking.upsampled(study, "upsampled_quality")) == 9
    assert len(clicking.upsampled(study, "upsampled_maps")) == 1


def test_the_click_models_are_the_published_ones(paper: Config) -> None:
    models = paper.interactive.click_models
    assert {(model.click_encoder, model.inject) for model in models.values()} == {
        ("patch_embed", "early"),
        ("simple_vit", "late_hr"),
    }
    for model in models.values():
        assert model.model_dump(exclude={"click_encoder", "inject"}) == {
            "head": "convhead",
            "head_init": "as_released",
            "tap": "maps",
            "stride": 16,
            "upsampled_stride": 1,
            "statistics": "imagenet",
            "click_map": "disc",
            "click_radius": 5.0,
            "simple_vit": {"depth": 6, "heads": 8, "head_dim": 64, "mlp_dim": 2048},
            "frozen_mode": "eval",
        }


def test_the_recipe_is_the_published_one(paper: Config) -> None:
    recipe = paper.interactive.training
    epoch = 8_498 // recipe.batch_size
    assert (recipe.batch_size, recipe.steps, recipe.schedule.milestones) == (8, 20 * epoch, (17 * epoch,))
    assert (recipe.learning_rate, recipe.schedule.factor, recipe.weight_decay, recipe.warmup_steps) == (
        *(5e-5, 0.1),
        *(0, 0),
    )
    assert recipe.clip_norm >= 1e6
    assert (recipe.cached_views, recipe.hardness, paper.interactive.seeds) == (None, 1.25, (0,))
    assert recipe.crops.model_dump() == {
        "side": 224,
        "scale": (0.75, 1.25),
        "flip_share": 0.5,
        "turn_share": 0.5,
        "move_share": 0.75,
        "shift": 0.03,
        "tilt": 3.0,
        "color_share": 0.75,
        "brightness": 0.25,
        "contrast": (-0.15, 0.4),
        "levels": 10,
        "empty": 0.01,
        "least_area": 80,
        "least_fill": 0.08,
    }
    assert recipe.clicks.model_dump() == {
        "slots": 24,
        "decay": 0.8,
        "merge": 0.15,
        "erode": 0.9,
        "erosions": 3,
        "erosion_floor": 10,
        "background": 0.1,
        "others": 0.4,
        "border": 0.5,
        "border_ratio": 0.1,
        "rounds": 3,
        "threshold": 0.49,
    }


def test_the_protocol_is_the_released_one(paper: Config) -> None:
    protocol = paper.interactive.protocol
    assert (protocol.max_clicks, protocol.threshold, protocol.flip, protocol.stop_at) == (20, 0.5, True, None)
    assert protocol.targets == (0.80, 0.85, 0.90, 0.95)
    assert protocol.perfect_mask == "as_released"
    assert (protocol.equal_errors, protocol.distance, protocol.ignore_void) == ("negative", "exact", True)
    assert protocol.zoom.model_dump() == {
        "side": 224,
        "follow_object": True,
        "expansion": 1.4,
        "min_side": 200,
        "recompute_iou": 0.5,
        "threshold": 0.5,
    }


def test_clicks_beside_the_best_are_made_where_they_are_asked_for(paper: Config) -> None:
    settings = ClickSettings(Study(paper))
    told = {
        target: json.loads(settings.evaluation("dinov2", "lift", "late", target))["robustness"]
        for target in paper.interactive.tested_on
    }
    whole = {"groups": 10, "laws": ["distance", "uniform"], "seed": 0}
    assert told == {"grabcut": whole, "berkeley": whole, "sbd": None, "davis": whole}
    with pytest.raises(ConfigError, match=r"robustness\.datasets: 'sbds' is not defined.*sbd"):
        experiment(interactive={"robustness": {"datasets": ["sbds"]}})


def test_what_is_needed_before_a_run_is_said(paper: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("VFM_DATA", "VFM_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    absent = Owned(Study(paper)).absent
    for name in paper.datasets:
        assert any(f"datasets.{name}.root" in line for line in absent)
    for name, upsampler in paper.upsamplers.items():
        assert any(f"upsamplers.{name}.weights.path" in line for line in absent) == bool(upsampler.weights)
