"""The real-data experiment, with few training steps: real photos, labels and weights through every stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from working_copy import Workflow

from vfm_fusion.reporting.questions_text import read_headlines

QUESTIONS = [f"RQ{number}" for number in range(1, 6)]


@pytest.mark.slow("a whole experiment on photos of up to 2 megapixels")
@pytest.mark.realdata
@pytest.mark.timeout(1800)
def test_real_photos_and_weights_go_through_every_stage(fresh: Workflow, realdata: Path) -> None:
    fresh.config = {
        "experiment": "realdata",
        "encoders": "{pidinet: null, r2d2: null}",
        "features": "{max_images: 6}",
        "also_profiled": "{pennfudan: {max_images: 6}, cityscapes-frames: {max_images: 1},"
        " coco-photos: {max_images: 3}}",
        "training": "{seeds: [0], cached_views: 1, steps: 4, warmup_steps: 1, log_every: 2}",
        "evaluation": "{max_images: 4}",
    }
    done = fresh.snakemake("all", environment={"VFM_REALDATA": str(realdata)})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = fresh.folder / "results" / "realdata"
    for name, defined, undefined in (("camvid", "mIoU", "AP"), ("pennfudan", "AP", "mIoU")):
        evaluation = json.loads(
            (results / f"runs/{name}-fused/seed0/{name}/evaluation.json").read_text(encoding="utf-8")
        )
        assert (evaluation["images"], evaluation["master"]["encoder"]) == (4, "dinov2")
        assert 0 <= evaluation["metrics"][defined] <= 100
        assert evaluation["metrics"][undefined] is None
        assert evaluation["reasons"][undefined]
    for end in ("", "-pennfudan-instance"):
        assert "untrained" not in (results / "tables" / f"main_results{end}.md").read_text(encoding="utf-8")
        assert [key for key, _ in read_headlines(results / "tables" / f"questions{end}.md")] == QUESTIONS
    assert "pennfudan" in (results / "tables" / "selection-pennfudan.md").read_text(encoding="utf-8")
    assert "self-supervised" in (results / "tables" / "profiles.md").read_text()
    encoders = (results / "tables" / "encoders.md").read_text(encoding="utf-8")
    assert "Weights of the DINO family (DINOv2-S) were used." in encoders
    frames = json.loads((results / "features/cityscapes-frames/squeezenet.zarr.manifest.json").read_text())
    assert frames["input_size"] == [1024, 2048]
    for name in ("pennfudan", "cityscapes-frames", "coco-photos"):
        assert name in (results / "tables" / f"profiles-{name}.md").read_text()
        assert (results / "figures" / f"profiles-{name}.png").stat().st_size > 10_000
    assert (results / "report.html").stat().st_size > 100_000
    assert str(realdata) not in (results / "tables" / "main_results.csv").read_text()


def test_without_the_folder_there_is_one_clear_error(fresh: Workflow) -> None:
    fresh.config = {"experiment": "realdata"}
    done = fresh.snakemake("all", environment={"VFM_REALDATA": ""})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "VFM_REALDATA" in said
    for name in ("camvid", "pennfudan", "cityscapes-frames", "coco-photos"):
        assert said.count(f"DatasetLayoutError: datasets.{name}.root") == 1
    assert not (fresh.folder / "results" / "realdata").exists()
