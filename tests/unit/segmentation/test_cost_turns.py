"""Costs of all runs: identical models once, in turns, until their times agree or the turns are used up."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import ComputeError
from vfm_fusion.segmentation import cost_turns
from vfm_fusion.segmentation.cost import CostedModel
from vfm_fusion.segmentation.cost_turns import measure_costs


def fused(**changes: Any) -> RunConfig:
    return RunConfig(master="vit", auxiliary="hiera", **changes)


@pytest.fixture
def model(encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    """Builds a model; whatever it is called, trained at which rate and with which weights."""

    def build(run: RunConfig, strides: tuple[int, ...] = (16,), **changes: Any) -> CostedModel:
        settings = {"encoders": encoders, "training": recipe, "categories": 4} | changes
        return CostedModel(run, strides=strides, **settings)

    return build


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Measures nothing: every turn takes the next of `times` (all 1 when they end), and is written down."""
    taken: list[str] = []

    def one(model: CostedModel, cost: CostConfig, threads: int, counts: bool, runs: list[str]) -> dict:
        taken.append(" ".join(runs))
        number = taken.count(taken[-1])
        times = [10.0, 10.0] if "slow" in runs[0] and number % 2 else [1.0, 1.0]
        phase = {"size": [64, 64], "batch": 2, "precision": "32-true", "times": times, "peak_bytes": number}
        counted = {"parameters": {"total": 7}, "flops": {"total": 8}} if counts else {}
        return {
            "device": "CPU",
            "threads": threads,
            "inference": phase,
            "training": {**phase, "devices": 1},
            **counted,
        }

    monkeypatch.setattr(cost_turns, "_apart", one)
    return taken


def test_the_chosen_stride_and_the_same_stride_by_name_are_one_model(model, turns, encoders, recipe) -> None:
    seeded = {**encoders, "again": encoders["vit"].model_copy(update={"label": "Again"})}
    slower = recipe.model_copy(update={"steps": 9, "learning_rate": 1e-5, "workers": 3})
    models = {
        "fused": model(fused(label="Fused")),
        "at16": model(fused(fusion=FusionConfig(stride=16), dataset="elsewhere", recipe="slow")),
        "rates": model(fused(), training=slower),
        "named": model(RunConfig(master="again", auxiliary="hiera"), encoders=seeded),
    }
    found = measure_costs(models, CostConfig(repeats=2), 1)
    assert turns == ["fused at16 rates named"] * 2
    assert all(found[run] == found["fused"] for run in models)


@pytest.mark.parametrize(
    "other",
    [
        {"run": fused(), "strides": (8,)},
        {"run": fused(fusion=FusionConfig(operator="gated"))},
        {"run": fused(fusion=FusionConfig(align="project"))},
        {"run": fused(train_master=False)},
        {"run": fused(auxiliary_precision="bfloat16")},
        {"run": RunConfig(master="hiera", auxiliary="vit")},
        {"run": RunConfig(master="vit"), "strides": ()},
        {"run": fused(), "categories": 5},
        {"run": fused(), "training": {"head": HeadConfig(queries=7)}},
        {"run": fused(), "training": {"batch_size": 4}},
        {"run": fused(), "training": {"precision": "bf16-mixed"}},
    ],
    ids=lambda other: ", ".join(str(value) for value in other.values())[-60:],
)
def test_another_model_is_measured_by_itself(model, turns, recipe, other: dict[str, Any]) -> None:
    changed = {**other}
    if "training" in other:
        changed["training"] = recipe.model_copy(update=other["training"])
    measure_costs({"one": model(fused()), "other": model(**changed)}, CostConfig(), 1)
    assert turns == ["one", "other"] * 2


def test_a_crop_of_another_size_is_another_model(model, turns, recipe) -> None:
    wider = recipe.augmentation.model_copy(update={"crop": (64, 128)})
    flipped = recipe.augmentation.model_copy(update={"flip": False})
    models = {
        name: model(fused(), training=recipe.model_copy(update={"augmentation": augmentation}))
        for name, augmentation in {"one": recipe.augmentation, "wide": wider, "flip": flipped}.items()
    }
    measure_costs(models, CostConfig(), 1)
    assert turns == ["one flip", "wide"] * 2


def test_what_scatters_is_measured_again_and_says_so_in_the_end(model, turns) -> None:
    models = {"quiet": model(fused()), "slow": model(RunConfig(master="vit"), ())}
    found = measure_costs(models, CostConfig(rounds=5, repeats=2), 1)
    assert turns == ["quiet", "slow", "quiet", "slow", "slow", "slow", "slow"]
    quiet, slow = (found[run]["inference"] for run in models)
    assert (quiet["seconds"], quiet["spread"], quiet["steady"], quiet["timed"]) == (1.0, 0.0, True, 4)
    assert (slow["steady"], slow["timed"]) == (False, 10)
    assert slow["spread"] == pytest.approx((10 - 1) / 10)
    assert (quiet["images_per_second"], quiet["peak_bytes"], slow["peak_bytes"]) == (2.0, 2, 5)
    assert found["slow"]["parameters"] == {"total": 7}
    assert "times" not in slow


def test_a_model_is_measured_in_processes_of_its_own(model) -> None:
    found = measure_costs({"fused": model(fused())}, CostConfig(rounds=2, repeats=1, spread=9.0), 1)
    assert json.loads(json.dumps(found)) == found
    for phase in (found["fused"]["inference"], found["fused"]["training"]):
        assert phase["timed"] == 2
        assert phase["images_per_second"] == pytest.approx(phase["batch"] / phase["seconds"])
        assert phase["steady"]


def test_a_process_that_is_killed_is_told_by_its_runs(model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfm_fusion.segmentation.cost.build_segmenter", lambda *_: os.kill(os.getpid(), 9))
    with pytest.raises(ComputeError, match=r"the model of one, two was ended from outside; .* out of memory"):
        measure_costs({"one": model(fused()), "two": model(fused())}, CostConfig(), 1)
