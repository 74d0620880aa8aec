"""The comparison of two folders of results sees every change of a result, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from same_results import differences, main

EVALUATION = {"dataset": "scenes", "metrics": {"AP": 1.5}}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def predictions(path: Path, classes: list[int], **settings: str) -> None:
    with h5py.File(path, "w") as file:
        file["run"] = json.dumps({"training": {"steps": 6, **settings}})
        file["image_ids"] = ["a", "b"]
        file["images/0/classes"] = np.array(classes)


FILES = {
    "config.resolved.yaml": "training: {steps: 6}\n",
    "features/scenes/a.zarr.manifest.json": json.dumps({"token": "1", "content": "x"}),
    "runs/fused/cost.json": json.dumps({"flops": 7, "training": {"seconds": 1.0}}),
    "runs/fused/seed0/evaluation.json": json.dumps(EVALUATION),
    "runs/fused/seed0/model.safetensors": "weights",
    "runs/fused/seed0/run.json": json.dumps({"training": {"steps": 6}}),
    "interactive/a/jbu/late/seed0/scenes/seconds.parquet": "1 s",
    "interactive/a/jbu/late/seed0/scenes/rounds.parquet": "clicks",
    "interactive/a/jbu/cost.json": json.dumps({"encoder": "a", "threads": 2, "seconds": 1.0}),
    "tables/clicks.csv": "metric,value\nNoC@90,7\nseconds,1.0\n",
    "tables/clicks.md": "1 s",
    "tables/cost.csv": "run,flops_total,training_seconds\nfused,7,1.0\n",
    "tables/runtime.md": "1 s",
    "tables/main_results.tex": "1.5",
    "logs/train.log": "12:00",
}

LIKE_ANOTHER_RUN = {
    "config.resolved.yaml": "training: {steps: 6, matcher: hungarian}\n",
    "features/scenes/a.zarr.manifest.json": json.dumps({"content": "x", "token": "2"}),
    "runs/fused/cost.json": json.dumps({"flops": 7, "training": {"seconds": 2.0}}),
    "runs/fused/seed0/run.json": json.dumps({"training": {"matcher": "hungarian", "steps": 6}}),
    "interactive/a/jbu/late/seed0/scenes/seconds.parquet": "2 s",
    "interactive/a/jbu/cost.json": json.dumps({"encoder": "a", "threads": 4, "seconds": 2.0}),
    "tables/clicks.csv": "metric,value\nNoC@90,7\nseconds,2.0\n",
    "tables/clicks.md": "2 s",
    "tables/cost.csv": "run,flops_total,training_seconds\nfused,7,2.0\n",
    "tables/runtime.md": "2 s",
    "logs/train.log": "13:00",
}


def test_two_runs_of_the_same_code_hold_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = write(tmp_path / "before", FILES)
    after = write(tmp_path / "after", FILES | LIKE_ANOTHER_RUN)
    assert differences(before, after) == []
    assert main([str(before), str(after)]) == 0
    assert "the same results: 11 files" in capsys.readouterr().out


def test_results_of_before_targets_had_folders_are_found(tmp_path: Path) -> None:
    before = write(tmp_path / "before", FILES)
    moved = {
        name.replace("seed0/", "seed0/scenes/") if name.endswith("evaluation.json") else name: text
        for name, text in FILES.items()
    }
    after = write(tmp_path / "after", moved)
    predictions(before / "runs/fused/seed0/predictions.h5", [1, 2])
    predictions(after / "runs/fused/seed0/scenes/predictions.h5", [1, 2], matcher="hungarian")
    assert differences(before, after) == []
    predictions(after / "runs/fused/seed0/scenes/predictions.h5", [1, 3])
    assert differences(before, after) == ["differs: runs/fused/seed0/scenes/predictions.h5"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.resolved.yaml", "training: {steps: 7}\n"),
        ("features/scenes/a.zarr.manifest.json", json.dumps({"token": "1", "content": "y"})),
        ("runs/fused/cost.json", json.dumps({"flops": 8, "training": {"seconds": 1.0}})),
        ("runs/fused/seed0/model.safetensors", "other weights"),
        ("runs/fused/seed0/run.json", json.dumps({"training": {"steps": 7}})),
        ("interactive/a/jbu/late/seed0/scenes/rounds.parquet", "other clicks"),
        ("interactive/a/jbu/cost.json", json.dumps({"encoder": "b", "threads": 2, "seconds": 1.0})),
        ("tables/clicks.csv", "metric,value\nNoC@90,8\nseconds,1.0\n"),
        ("tables/cost.csv", "run,flops_total,training_seconds\nfused,8,1.0\n"),
        ("tables/main_results.tex", "1.6"),
    ],
)
def test_a_changed_result_is_named(tmp_path: Path, name: str, text: str) -> None:
    before = write(tmp_path / "before", FILES)
    after = write(tmp_path / "after", FILES | {name: text})
    assert differences(before, after) == [f"differs: {name}"]


def test_a_lost_and_a_new_result_are_named(tmp_path: Path) -> None:
    before = write(tmp_path / "before", FILES)
    after = write(tmp_path / "after", FILES | {"tables/new.md": "1"})
    (after / "tables/main_results.tex").unlink()
    assert differences(before, after) == ["only before: tables/main_results.tex", "only after: tables/new.md"]
