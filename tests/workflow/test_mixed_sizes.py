"""An experiment on a main data set whose images have many sizes, from its first job to its report."""

from __future__ import annotations

import json

import pytest
from small_datasets import MIXED, write_coco
from working_copy import Workflow


@pytest.mark.slow("a whole experiment, if of few images and steps")
@pytest.mark.timeout(1800)
def test_a_main_data_set_of_mixed_sizes_has_its_report(fresh: Workflow) -> None:
    for split in ("train", "val"):
        sizes = [(2 * height, 2 * width) for height, width in MIXED]
        write_coco(fresh.folder / "coco", split, sizes)
    fresh.config = {
        "experiment": "quick",
        "dataset": "coco",
        "datasets": "{miniscapes: null, coco: {kind: coco_instance, root: coco}}",
        "encoders": "{mini-swin: null}",
        "features": "{image_size: [96, 96]}",
        "sensitivity": "{images: 1, sweeps: {tau: [0.5]}}",
        "controls": "{images: 1}",
        "runs": "{auxiliary-frozen: null, fused-reverse: null}",
        "training": "{task: instance, steps: 2, warmup_steps: 1, checkpoint_every: 2, log_every: 1}",
    }
    done = fresh.snakemake("all")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    results = fresh.results
    summary = json.loads((results / "datasets/coco/val.json").read_text(encoding="utf-8"))
    assert summary["smallest_sides"] != summary["largest_sides"]
    for figure in ("pca_maps", "energy_maps", "qualitative", "controls"):
        assert (results / f"figures/{figure}.png").stat().st_size > 10_000
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Masks side by side" in page
    assert "(not drawn)" not in page
    assert fresh.planned() == {}
