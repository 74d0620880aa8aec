"""Runs on several data sets and for several tasks in one experiment, and the plan of the paper's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from test_readme import PLANS_THE_PAPER
from working_copy import Workflow

from vfm_fusion.study.resolve import resolve

DATASETS = (
    "{miniscapes: {train: 8, val: 5},"
    " elsewhere: {kind: miniscapes, style: real, train: 6, val: 4, height: 64, width: 128}}"
)
RECIPES = (
    "{objects: {training: {task: instance, batch_size: 1, head: {queries: 20}}},"
    " classes: {training: {task: semantic, steps: 5}, evaluation: {resize: {short_side: 96, max_side: 192}}}}"
)
RUNS = (
    "{auxiliary-frozen: null, fused-reverse: null,"
    " objects: {label: Objects, master: master, recipe: objects},"
    " objects-os8: {label: OS 8, recipe: objects, master: master, auxiliary: auxiliary, fusion: {stride: 8}},"
    " objects-os16: {label: OS 16, recipe: objects, master: master, auxiliary: auxiliary,"
    " fusion: {stride: 16}},"
    " classes: {label: Classes, master: mini-swin, train_master: false, recipe: classes, dataset: elsewhere,"
    " evaluated_on: [elsewhere, miniscapes]},"
    " moved: {label: Moved, master: master, dataset: elsewhere, evaluated_on: miniscapes}}"
)
COMPARISONS = (
    "miniscapes-instance",
    "elsewhere-to-miniscapes-and-elsewhere-semantic",
    "elsewhere-to-miniscapes-panoptic",
)


@pytest.mark.slow("trains and evaluates five more runs")
@pytest.mark.timeout(1800)
def test_every_run_is_trained_evaluated_and_shown_among_its_equals(
    finished: Workflow, tmp_path: Path
) -> None:
    """Runs are added to those of a finished experiment, which are not trained again."""
    extended = Workflow(shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True))
    extended.config |= {"datasets": DATASETS, "recipes": RECIPES, "runs": RUNS}
    first = extended.planned()
    assert (first["train"], first["predict"], first["evaluate"]) == (5, 6, 6)
    done = extended.snakemake("all")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]

    found = {}
    compared = {"master", "fused", "objects", "objects-os8", "objects-os16", "classes", "moved"}
    for path in extended.results.glob("runs/*/seed0/*/evaluation.json"):
        if path.parts[-4] not in compared:
            continue
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        assert evaluation["dataset"] == path.parent.name
        found[path.parts[-4], path.parent.name] = (evaluation["task"], evaluation["images"])
    assert found == {
        ("master", "miniscapes"): ("panoptic", 5),
        ("fused", "miniscapes"): ("panoptic", 5),
        ("objects", "miniscapes"): ("instance", 5),
        ("objects-os8", "miniscapes"): ("instance", 5),
        ("objects-os16", "miniscapes"): ("instance", 5),
        ("classes", "elsewhere"): ("semantic", 4),
        ("classes", "miniscapes"): ("semantic", 5),
        ("moved", "miniscapes"): ("panoptic", 5),
    }
    described = json.loads((extended.results / "runs/classes/seed0/run.json").read_text(encoding="utf-8"))
    assert described["training"]["steps"] == 5

    tables = extended.results / "tables"
    assert set(pd.read_csv(tables / "main_results.csv")["run"]) == {"master", "fused"}
    objects = {"objects", "objects-os8", "objects-os16"}
    for comparison, runs in zip(COMPARISONS, (objects, {"classes"}, {"moved"}), strict=True):
        assert set(pd.read_csv(tables / f"main_results-{comparison}.csv")["run"]) == runs
        assert (tables / f"per_class-{comparison}.html").is_file()
        for figure in ("qualitative", "training_curves"):
            assert (extended.results / f"figures/{figure}-{comparison}.png").is_file()
    injected = [path.name for path in tables.glob("stride_gain*.csv")]
    assert sorted(injected) == ["stride_gain-miniscapes-instance.csv", "stride_gain.csv"]
    swept = [path.name for path in tables.glob("injection_stride*.csv")]
    assert sorted(swept) == ["injection_stride-miniscapes-instance.csv", "injection_stride.csv"]
    levels = pd.read_csv(tables / "injection_stride-miniscapes-instance.csv")
    assert {"objects-os8", "objects-os16"} <= set(levels["run"])
    assert set(pd.read_csv(tables / "cost.csv")["run"]) == compared
    assert extended.planned() == {}

    more = "evaluated_on: [miniscapes, elsewhere]"
    extended.config["runs"] = RUNS.replace("evaluated_on: miniscapes", more)
    wider = extended.planned()
    assert wider["predict"] == wider["evaluate"] == 1
    assert "train" not in wider
    extended.config["runs"] = RUNS

    extended.config["recipes"] = RECIPES.replace("queries: 20", "queries: 21")
    again = extended.planned()
    assert again["train"] == again["predict"] == 3
    assert again["measure_cost"] == 1, "all models are measured beside one another"
    assert again["table_main_results_elsewhere"] == 1
    assert "table_main_results" not in again


def test_the_papers_experiment_is_planned_without_its_data(fresh: Workflow) -> None:
    environment = {"VFM_DATA": str(fresh.folder / "nowhere"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", *PLANS_THE_PAPER.replace(".venv/bin/", "").split()]
    done = subprocess.run(command, **fresh.options(environment), capture_output=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    counts = dict(re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE))
    runs = resolve({"experiment": "paper"}, fresh.folder / "experiments").runs
    assert int(counts["train"]) == int(counts["evaluate"]) == 3 * len(runs)
    assert int(counts["measure_cost"]) == 1
    assert int(counts["table_main_results_elsewhere"]) == 7
    assert "datasets.urbansyn.root: '$VFM_DATA/urbansyn' is the folder" in said
    assert "timm/vit_base_patch16_dinov3.lvd1689m" in said
    assert "VFM_WEIGHTS, which is not set" in said


def test_a_run_without_its_data_ends_before_its_first_job(fresh: Workflow) -> None:
    fresh.config = {"experiment": "paper"}
    done = fresh.snakemake("-q", "rules", "datasets", environment={"HF_HUB_OFFLINE": "1"})
    assert done.returncode != 0
    assert "DatasetLayoutError: datasets.cityscapes.root" in done.stderr
    assert not (fresh.folder / "results/paper/datasets").exists()
