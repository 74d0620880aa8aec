"""The study on real photos asks the same of both data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

ROOT = Path(__file__).parents[3]
STRIDES = (4, 8, 16, 32)
AUXILIARIES = ("pidinet", "mobilenetv2", "squeezenet", "r2d2")
REVERSED = ("pidinet", "squeezenet")


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(resolve({"experiment": "realdata_study"}, ROOT / "experiments"))


@pytest.mark.parametrize("comparison", ["camvid-semantic", "pennfudan-instance"])
def test_every_pair_is_trained_at_every_stride_beside_baselines(study: Study, comparison: str) -> None:
    runs = [study.config.runs[name] for name in study.comparisons[comparison][1]]
    found = {
        (run.master, run.auxiliary, run.fusion.stride, run.train_master) for run in runs if run.auxiliary
    }
    assert found == {
        *(("dinov2", name, stride, False) for name in AUXILIARIES for stride in STRIDES),
        *((name, "dinov2", stride, False) for name in REVERSED for stride in STRIDES),
        ("master", "auxiliary", "selected", True),
    }
    alone = {(run.master, run.train_master) for run in runs if not run.auxiliary}
    assert alone == {*((name, False) for name in ("dinov2", *AUXILIARIES)), ("dinov2", True)}
    assert len(runs) == len(found) + len(alone)


def test_both_data_sets_have_answers_by_profiles_of_their_own(study: Study) -> None:
    assert study.studied == ["camvid-semantic", "pennfudan-instance"]
    assert study.studied_on == ["camvid", "pennfudan"]
    assert {study.config.chosen_on(run) for run in study.config.runs} == {"camvid", "pennfudan"}
    assert study.finetuned_runs("pennfudan-instance") == ["pf-dinov2-ft"]
    assert len(study.seeds) == 3


def test_frozen_pairs_read_stored_maps(study: Study) -> None:
    """Of one set of views a data set, or every encoder would be run for each of them."""
    config = study.config
    recipes = {config.dataset_of(run): config.training_of(run) for run in config.runs}
    assert all(config.training_of(run) == recipes[config.dataset_of(run)] for run in config.runs)
    assert all(recipe.cached_views for recipe in recipes.values())
