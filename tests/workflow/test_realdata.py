"""The real-data experiment, with few training steps: real photos, labels and weights through every stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from working_copy import Workflow


@pytest.mark.slow("a whole experiment on photos of up to 2 megapixels")
@pytest.mark.realdata
@pytest.mark.timeout(1800)
def test_real_photos_and_weights_go_through_every_stage(fresh: Workflow, realdata: Path) -> None:
    fresh.config = {
        "experiment": "realdata",
        "features": "{max_images: 6}",
        "also_profiled": "{cityscapes-frames: {max_images: 1}, coco-photos: {max_images: 3}}",
        "training": "{steps: 4, warmup_steps: 1, log_every: 2}",
        "evaluation": "{max_images: 4}",
    }
    done = fresh.snakemake("all", environment={"VFM_REALDATA": str(realdata)})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = fresh.folder / "results" / "realdata"
    evaluation = json.loads((results / "runs/fused/seed0/camvid/evaluation.json").read_text())
    assert evaluation["images"] == 4
    assert 0 <= evaluation["metrics"]["mIoU"] <= 100
    assert evaluation["metrics"]["AP"] is None
    assert evaluation["reasons"]["AP"]
    assert "untrained" not in (results / "tables" / "main_results.md").read_text()
    assert "self-supervised" in (results / "tables" / "profiles.md").read_text()
    assert (
        "No weights of the DINO or SAM families were used."
        in (results / "tables" / "encoders.md").read_text()
    )
    frames = json.loads((results / "features/cityscapes-frames/r2d2.zarr.manifest.json").read_text())
    assert frames["input_size"] == [1024, 2048]
    for name in ("cityscapes-frames", "coco-photos"):
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
    for name in ("camvid", "cityscapes-frames", "coco-photos"):
        assert said.count(f"DatasetLayoutError: datasets.{name}.root") == 1
    assert not (fresh.folder / "results" / "realdata").exists()
