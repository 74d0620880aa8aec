"""Interactive segmentation as a whole: few scenes, few steps, few clicks, all stages."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pandas as pd
import pytest
from working_copy import Workflow

SETTINGS = {
    "experiment": "interactive",
    "datasets": "{miniscapes: {train: 6, val: 3}}",
    "features": "{max_images: 2}",
    "upsamplers": "{jbu-classic: null, bilinear: null}",
    "interactive": "{seeds: [0], max_images: 2, grid: [{encoders: [mini-dino], upsamplers: [low-res, lift], "
    "clicks: [late]}], training: {steps: 4, warmup_steps: 1, checkpoint_every: 2, log_every: 2}, "
    "protocol: {max_clicks: 3}, robustness: {groups: 2}, quality: {images: 2, probe_images: 2}}",
}
CLICKED = "interactive/mini-dino/{}/late/seed0/miniscapes"


def clicking(results: Path) -> set[Path]:
    """Images whose objects have been clicked."""
    return set(results.glob("state/interactive/*/*/*/*/miniscapes/*.json"))


@pytest.mark.slow("trains two click models and clicks with them")
@pytest.mark.timeout(1200)
def test_killed_while_it_clicks_it_ends_in_its_tables_figures_and_answers(fresh: Workflow) -> None:
    fresh.config, results = SETTINGS, fresh.folder / "results" / "interactive"
    fresh.kill_when(clicking, signal.SIGKILL)
    done = fresh.snakemake("all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for upsampler in ("low-res", "lift"):
        folder = results / CLICKED.format(upsampler)
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        objects = pd.read_parquet(folder / "objects.parquet")
        assert scores["scores"]["objects"] == len(objects) > 2
        assert objects["image_id"].nunique() == scores["images"] == 2
        assert 0 <= scores["scores"]["IoU@1"] <= 100
        assert scores["robustness"] is not None
    report = (results / "report.html").read_text(encoding="utf-8")
    for name in ("clicks", "upsamplers", "click_failures"):
        assert (results / "tables" / f"{name}.csv").stat().st_size > 0
    for name in ("iou_by_clicks", "click_cost", "upsampled_maps", "click_sequences"):
        assert (results / "figures" / f"{name}.png").stat().st_size > 1000
    assert "LiFT" in report
    answers = (results / "tables" / "upsampling.md").read_text(encoding="utf-8")
    assert "Which upsampler needs the fewest clicks" in answers
    assert fresh.planned() == {}

    fresh.config = SETTINGS | {
        "interactive": SETTINGS["interactive"].replace("max_clicks: 3", "max_clicks: 4")
    }
    planned = fresh.planned()
    assert planned["evaluate_clicks"] == 2
    assert not {"train_clicks", "measure_upsampler", "extract_views", "profile_encoder"} & planned.keys()
