"""What reports show of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.errors import ConfigError
from vfm_fusion.study import reported
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

ROOT = Path(__file__).parents[3]
ELSEWHERE = {"kind": "miniscapes", "style": "real", "train": 6, "val": 4, "height": 64, "width": 128}
FUSED = {"master": "master", "auxiliary": "auxiliary", "recipe": "objects"}
RUNS = {
    "objects": {"master": "master", "recipe": "objects"},
    "objects-os8": {**FUSED, "label": "OS 8", "fusion": {"stride": 8}},
    "objects-os16": {**FUSED, "fusion": {"stride": 16}, "auxiliary_precision": "bfloat16"},
    "moved": {"master": "mini-swin", "dataset": "elsewhere", "evaluated_on": "miniscapes"},
    "fused-elsewhere": {"master": "master", "auxiliary": "auxiliary", "dataset": "elsewhere"},
}
OWN = {run: RUNS[run] for run in ("objects", "objects-os8", "objects-os16")}


def study(**raw: Any) -> Study:
    return Study(resolve({"experiment": "quick", **raw}, ROOT / "experiments"))


@pytest.fixture(scope="module")
def several() -> Study:
    """Four comparisons: two of the main data set, one of another, and one from the other to the main one."""
    return study(
        datasets={"elsewhere": ELSEWHERE},
        recipes={"objects": {"training": {"task": "instance"}}},
        runs=RUNS,
        training={"seeds": [0, 3]},
        reporting={"shown": ["fused", "objects"]},
    )


def test_comparisons_with_injections_and_with_several_strides(several: Study) -> None:
    assert several.elsewhere == [
        "miniscapes-instance",
        "elsewhere-to-miniscapes-panoptic",
        "elsewhere-panoptic",
    ]
    assert reported.fused_elsewhere(several) == ["miniscapes-instance", "elsewhere-panoptic"]
    assert reported.swept_elsewhere(several) == ["miniscapes-instance"]
    assert several.finetuned_runs(several.main) == ["master"]


def test_questions_are_answered_for_each_data_set_that_encoders_are_profiled_on(several: Study) -> None:
    """Not for another task of the main data set, a transfer, or a data set without profiles of its own."""
    assert (several.studied, several.studied_on) == ([several.main], ["miniscapes"])
    profiled = study(
        datasets={"elsewhere": ELSEWHERE},
        recipes={"objects": {"training": {"task": "instance"}}},
        runs=RUNS | {"alone-elsewhere": {"dataset": "elsewhere", "master": "mini-sam"}},
        also_profiled={"elsewhere": {"max_images": 2}},
        training={"seeds": [0, 3]},
    )
    assert profiled.studied == [profiled.main, "elsewhere-panoptic"]
    assert reported.studied_elsewhere(profiled) == ["elsewhere-panoptic"]
    assert reported.chosen_elsewhere(profiled) == ["elsewhere"]
    assert profiled.finetuned_of("finetuned_profile", "elsewhere-panoptic") == [
        f"results/quick/metrics/elsewhere/finetuned/alone-elsewhere.seed{seed}.parquet" for seed in (0, 3)
    ]
    assert profiled.finetuned("run_state") == [
        f"results/quick/state/runs/{run}/seed{seed}"
        for run in ("master", "alone-elsewhere")
        for seed in (0, 3)
    ]
    for name, item, end in (
        ("per_class", profiled.main, ""),
        ("per_class", "elsewhere-panoptic", "-elsewhere-panoptic"),
        ("supervised", "miniscapes", ""),
        ("supervised", "elsewhere", "-elsewhere"),
    ):
        assert reported.table_of(profiled, name, item) == f"results/quick/tables/{name}{end}.csv"


def test_figures_show_the_chosen_runs_or_all(several: Study) -> None:
    assert reported.shown_runs(several, several.main) == ["fused"]
    assert reported.shown_runs(several, "miniscapes-instance") == ["objects"]
    assert reported.shown_runs(several, "elsewhere-panoptic") == ["fused-elsewhere"]
    assert reported.shown_evaluations(several, several.main) == [
        "results/quick/runs/fused/seed0/miniscapes/evaluation.json",
        "results/quick/runs/fused/seed3/miniscapes/evaluation.json",
    ]
    assert reported.predictions(several, several.main) == [
        "results/quick/runs/fused/seed0/miniscapes/predictions.h5"
    ]


def test_evaluations_of_a_comparison_run_by_run(several: Study) -> None:
    assert reported.evaluations(several, "miniscapes-instance") == [
        f"results/quick/runs/{run}/seed{seed}/miniscapes/evaluation.json"
        for run in ("objects", "objects-os8", "objects-os16")
        for seed in (0, 3)
    ]
    moved = "elsewhere-to-miniscapes-panoptic"
    assert reported.evaluated_indices(several, moved) == ["results/quick/datasets/miniscapes/val.parquet"]
    assert reported.evaluated_images(several, moved) == [
        {"dataset": several.dataset_section("miniscapes"), "generated": "results/quick/data/miniscapes"}
    ]


def test_a_comparison_reads_its_own_targets_alone() -> None:
    """A further target of one run leaves what the main comparison shows as it was."""
    runs = {
        "fused": {"evaluated_on": ["elsewhere", "miniscapes"]},
        "again": {"master": "mini-swin", "evaluated_on": ["miniscapes", "elsewhere"]},
    }
    seeds = {"training": {"seeds": [0, 3]}, "datasets": {"elsewhere": ELSEWHERE}}
    wide = study(runs=runs, **seeds)
    narrow = study(runs={"again": {"master": "mini-swin"}}, **seeds)
    for shown in (
        reported.evaluations,
        reported.shown_evaluations,
        reported.predictions,
        reported.evaluated_images,
        reported.compared_fusions,
        reported.published_results,
    ):
        assert shown(wide, wide.main) == shown(narrow, narrow.main)
    both = "miniscapes-to-miniscapes-and-elsewhere-panoptic"
    assert reported.evaluations(wide, both) == [
        f"results/quick/runs/{run}/seed{seed}/{target}/evaluation.json"
        for run in ("fused", "again")
        for seed in (0, 3)
        for target in ("miniscapes", "elsewhere")
    ]
    assert reported.predictions(wide, both) == [
        f"results/quick/runs/{run}/seed0/miniscapes/predictions.h5" for run in ("fused", "again")
    ]
    assert reported.compared(wide, both)["targets"] == ("miniscapes", "elsewhere")


def test_what_tells_runs_apart_but_the_stride(several: Study) -> None:
    settings = reported.compared_fusions(several, "miniscapes-instance")
    said = dict(settings["fusions"])
    assert "stride" not in said["objects"]
    assert said["objects-os8"] == said["objects"]
    assert said["objects-os16"] == f"{said['objects']}, auxiliary in bfloat16"
    assert settings["seeds"] == several.seeds
    assert dict(settings["runs"])["objects-os8"] == "OS 8"
    assert dict(settings["runs"])["objects"] == "objects"
    assert [name for name, _ in settings["encoders"]] == list(several.config.encoders)


def test_published_results_are_those_of_the_same_data_and_task(several: Study) -> None:
    kinds = {"trained_on": "miniscapes", "evaluated_on": "miniscapes"}
    assert reported.published_results(several, several.main) == {
        "of": [{**kinds, "task": "panoptic"}],
        "otherwise": "2",
    }
    assert reported.published_results(several, "miniscapes-instance") == {
        "of": [{**kinds, "task": "instance"}],
        "otherwise": None,
    }
    shown = ["resources/published/metric_guided_fusion.csv"]
    assert reported.published(several) == shown
    assert reported.published(several, several.main) == shown
    assert reported.published(several, "miniscapes-instance") == []
    assert reported.published(study(reporting={"published": False})) == []


def test_sweeps_are_compared_where_they_are_trained(several: Study) -> None:
    assert several.stride_sweeps == ["miniscapes-instance"]
    inputs = reported.points_of_sweeps(several)
    assert inputs["evaluations"] == reported.evaluations(several, "miniscapes-instance")
    assert inputs["pairs"] == ["results/quick/metrics/miniscapes/pairs.parquet"]
    assert len(inputs["summaries"]) == len(several.config.encoders)
    (sweep,) = reported.sweeps_described(several)["sweeps"]
    assert (sweep["dataset"], sweep["profiled"]) == ("miniscapes", "miniscapes")
    assert [run for run, _ in sweep["runs"]] == ["objects", "objects-os8", "objects-os16"]
    moved = {
        run: {**RUNS[run], "dataset": "elsewhere", "evaluated_on": "miniscapes"} for run in ("objects-os8",)
    }
    moved["objects-os16"] = {**moved["objects-os8"], "label": "OS 16", "fusion": {"stride": 16}}
    transfer = study(
        datasets={"elsewhere": ELSEWHERE}, recipes={"objects": {"training": {"task": "instance"}}}, runs=moved
    )
    assert (transfer.swept, transfer.stride_sweeps) == (["elsewhere-to-miniscapes-instance"], [])
    assert study().swept == []


def test_points_of_other_experiments_are_pooled(tmp_path: Path) -> None:
    there, absent = tmp_path / "points.csv", str(tmp_path / "absent.csv")
    there.write_text("")

    def pooled(*points: str, runs: bool = True) -> Study:
        swept = {"recipes": {"objects": {"training": {"task": "instance"}}}, "runs": OWN} if runs else {}
        return study(reporting={"more_points": points}, **swept)

    own = "results/quick/tables/predictor_points.csv"
    assert reported.all_points(pooled(str(there))) == {"points": [own, str(there)]}
    for points, message in (
        ([absent], "absent.csv' is not there; finish the experiment that writes it"),
        ([own], "would count twice"),
        ([f"./{own}"], "would count twice"),
        ([str(there)] * 2, "would count twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            pooled(*points)
    with pytest.raises(ConfigError, match=r"more_points: no run of this experiment sweeps"):
        pooled(str(there), runs=False)
