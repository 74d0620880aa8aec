"""Recipes laid over the training settings, and which runs they put into one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.schema import Config
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.comparisons import comparison_of, comparisons
from vfm_fusion.study.resolve import resolve

OVERLAYS = Path(__file__).parents[3] / "experiments"

OTHER = {"kind": "miniscapes", "style": "real", "train": 8, "val": 4}


def quick(**changes: Any) -> Config:
    """The quick experiment with a second data set and some changes."""
    base = {"experiment": "quick", "datasets": {"elsewhere": OTHER}}
    return resolve(deep_merge(base, changes), OVERLAYS)


def test_a_recipe_changes_what_it_names_and_nothing_else() -> None:
    config = quick(
        recipes={
            "coarse": {
                "training": {"steps": 7, "task": "semantic", "head": {"queries": 9}},
                "evaluation": {"resize": {"short_side": 64, "max_side": 128}},
            }
        },
        runs={"other": {"master": "mini-dino", "recipe": "coarse"}},
    )
    recipe = config.training_of("other")
    assert (recipe.steps, recipe.task, recipe.head.queries) == (7, "semantic", 9)
    changed = recipe.model_dump() | {"steps": 120, "task": "panoptic"}
    changed["head"] |= {"queries": 30}
    assert changed == config.training.model_dump()
    assert config.evaluation_of("other").resize.max_side == 128
    assert config.training_of("fused") == config.training
    assert config.evaluation_of("fused") == config.evaluation


def test_runs_are_compared_where_data_and_task_agree() -> None:
    config = quick(
        recipes={"classes": {"training": {"task": "semantic"}}},
        runs={
            "moved": {"master": "mini-dino", "dataset": "elsewhere", "evaluated_on": "miniscapes"},
            "semantic": {"master": "mini-dino", "recipe": "classes"},
            "again": {"master": "mini-swin", "recipe": "classes"},
        },
    )
    assert {group.name: runs for group, runs in comparisons(config).items()} == {
        "miniscapes-panoptic": ("master", "auxiliary-frozen", "fused", "fused-reverse"),
        "elsewhere-to-miniscapes-panoptic": ("moved",),
        "miniscapes-semantic": ("semantic", "again"),
    }
    assert comparison_of(config, "moved").dataset == "elsewhere"


def test_roles_come_from_the_profiles_of_the_own_data_set_where_there_are_some() -> None:
    runs = {"moved": {"master": "master", "dataset": "elsewhere"}}
    assert quick(runs=runs).chosen_on("moved") == "miniscapes"
    profiled = quick(runs=runs, also_profiled={"elsewhere": {}})
    assert profiled.chosen_on("moved") == "elsewhere"
    assert profiled.chosen_on("fused") == "miniscapes"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipes": {"r": {"training": {"stepz": 3}}}}, "recipes.r.training.stepz: unknown key"),
        ({"recipes": {"r": {"training": {"steps": 0}}}}, "recipes.r.training.steps"),
        ({"recipes": {"r": {"training": {"head": {"queries": "9"}}}}}, "recipes.r.training.head.queries"),
        ({"recipes": {"r": {"training": {"seeds": [1]}}}}, "seeds are those of all runs"),
        ({"recipes": {"r": {"evaluation": {"overlap": 2}}}}, "recipes.r.evaluation.overlap"),
        ({"runs": {"master": {"recipe": "r"}}}, "runs.master.recipe: 'r' is not defined"),
        ({"runs": {"master": {"dataset": "nowhere"}}}, "runs.master.dataset: 'nowhere' is not defined"),
        ({"runs": {"master": {"evaluated_on": "nowhere"}}}, "runs.master.evaluated_on"),
        (
            {
                "datasets": {"roads": {"kind": "camvid", "root": "x"}},
                "runs": {"master": {"evaluated_on": "roads"}},
            },
            "'roads' has other classes than 'miniscapes'",
        ),
        ({"dataset": "elsewhere", "runs": {"master": {"dataset": "miniscapes"}}}, None),
    ],
)
def test_a_bad_recipe_or_data_set_is_refused_by_name(changes: dict[str, Any], said: str | None) -> None:
    if said is None:
        assert quick(**changes).dataset_of("master") == "miniscapes"
        return
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        quick(**changes)


def test_an_experiment_reports_runs_of_its_own_data_set() -> None:
    every = {
        name: {"dataset": "elsewhere"} for name in ("master", "auxiliary-frozen", "fused", "fused-reverse")
    }
    with pytest.raises(ConfigError, match="elsewhere-panoptic"):
        quick(runs=every)


def test_another_alternative_replaces_the_one_below_it() -> None:
    base = {"weights": {"source": "file", "path": "a", "sha256": "b"}}
    assert deep_merge(base, {"weights": {"source": "seeded"}}) == {"weights": {"source": "seeded"}}
    assert deep_merge(base, {"weights": {"path": "c"}})["weights"]["sha256"] == "b"
    assert deep_merge(base, {"weights": {"source": "file", "path": "c"}})["weights"]["sha256"] == "b"
