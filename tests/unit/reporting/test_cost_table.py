"""The cost of models as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.inputs import read_cost
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.table import Table, lay_out
from vfm_fusion.reporting.tables.cost import cost_table

PUBLISHED = Path(__file__).parents[3] / "resources/published/metric_guided_fusion.csv"
RUNS = {"alone": "Master alone", "fused": "Fused"}


def cost(run: str, **changes: Any) -> dict[str, Any]:
    fused = run == "fused"
    parts = ("master", "auxiliary", "head") if fused else ("master", "head")
    content = {
        "run": run,
        "master": "mini_dino",
        "train_master": True,
        "auxiliary": "mini_sam" if fused else None,
        "train_auxiliary": False,
        "strides": [4, 16] if fused else [],
        "operator": "gated" if fused else None,
        "device": "CPU",
        "threads": 1,
        "parameters": {"total": 3_456_000 if fused else 2_000_000, "trainable": 2_000_000}
        | dict.fromkeys(parts, 1_000_000),
        "flops": {"total": 12_340_000_000} | dict.fromkeys(parts, 4_000_000_000),
        "inference": {"size": [256, 512], "batch": 1, "precision": "32-true", "seconds": 0.25}
        | {"images_per_second": 4.0, "peak_bytes": 1_234_000_000},
        "training": {"size": [128, 128], "batch": 2, "precision": "bf16-mixed", "seconds": 1.5}
        | {"images_per_second": 2 / 1.5, "peak_bytes": 2_000_000_000},
    }
    return content | changes


def table(
    *, published: bool = False, seconds: dict[str, list[float]] | None = None, **costs: dict[str, Any]
) -> Table:
    return cost_table(
        {run: cost(run) for run in RUNS} | costs,
        {"alone": [3600.0, 7200.0], "fused": [900.0]} if seconds is None else seconds,
        results.LABELS,
        RUNS,
        published_table(read_published(PUBLISHED), "11") if published else None,
    )


def shown(found: Table) -> list[dict[str, Any]]:
    keys = [column.key for column in found.columns]
    return [dict(zip(keys, row, strict=True)) for _, rows in lay_out(found).sections for row in rows]


def test_every_number_is_in_its_unit() -> None:
    alone, fused = shown(table())
    assert {key: cell.text for key, cell in fused.items()} == {
        "run": "Fused",
        "parameters": "3.46",
        "trainable": "2.00",
        "gflops": "12.34",
        "images_per_second": "4.00",
        "inference_memory": "1.23",
        "step_seconds": "1.50",
        "training_memory": "2.00",
        "hours": "0.25",
    }
    assert alone["hours"].text == "1.50"
    assert fused["run"].detail == "DINO mini FT + SAM mini FZ at OS 4, 16"
    assert alone["run"].detail == "DINO mini FT"


def test_the_notes_say_how_it_was_measured() -> None:
    notes = " ".join(table().notes)
    assert "Measured on: CPU, 1 thread," in notes
    assert "1 image of 256 x 512, 32-true" in notes
    assert "2 crops of 128 x 128, bf16-mixed" in notes
    gpu = {run: cost(run, device="NVIDIA X") for run in RUNS}
    notes = " ".join(table(**gpu).notes)
    assert "Measured on: NVIDIA X," in notes
    assert "allocated on the GPU" in notes


def test_a_run_that_was_not_timed_says_so() -> None:
    found = table(seconds={"fused": [900.0]})
    assert shown(found)[0]["hours"].text == "—"
    assert set(lay_out(found).footnotes.values()) == {"no record of its training"}


def test_published_values_stand_in_a_section_of_their_own() -> None:
    rows = {row["run"].text: row for row in shown(table(published=True))[2:]}
    ours = rows["Ours-D3S2"]
    assert (ours["parameters"].text, ours["gflops"].text, ours["images_per_second"].text) == (
        "176.20",
        "1857.00",
        "1.40",
    )
    assert ours["training_memory"].text == "—"
    assert set(rows) == {"DINOv2", "DINOv3", "SAM", "SAM2", "Ours-D3S2"}


def test_csv_holds_every_measured_number() -> None:
    data = table().data.set_index("run")
    assert data.loc["fused", "flops_auxiliary"] == 4_000_000_000
    assert pd.isna(data.loc["alone", "flops_auxiliary"])
    assert data.loc["alone", "trained_seconds"] == 10_800
    assert data.loc["fused", "inference_peak_bytes"] == 1_234_000_000


def test_costs_of_another_setup_are_refused() -> None:
    with pytest.raises(ReportingError, match="measured in another way"):
        table(fused=cost("fused", threads=4))
    with pytest.raises(ReportingError, match=r"\['fused'\] have no cost"):
        cost_table({"alone": cost("alone")}, {}, results.LABELS, RUNS)


def test_cost_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    path.write_text(json.dumps(cost("fused")), encoding="utf-8")
    assert read_cost(path) == cost("fused")
    path.write_text(json.dumps({"run": "fused"}), encoding="utf-8")
    with pytest.raises(ReportingError, match=r"'flops'.* are missing"):
        read_cost(path)
