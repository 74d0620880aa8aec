"""The cost of models as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.html import to_html
from vfm_fusion.reporting.render.latex import to_latex
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.result_files import read_cost
from vfm_fusion.reporting.table import Table, lay_out
from vfm_fusion.reporting.tables.cost import cost_table

PUBLISHED = Path(__file__).parents[3] / "resources/published/metric_guided_fusion.csv"
RUNS = {"alone": "Master alone", "fused": "Fused"}
STEADY = {"timed": 10, "spread": 0.02, "steady": True}


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
        "inference": {"size": [256, 512], "batch": 1, "precision": "32-true", "seconds": 0.25, **STEADY}
        | {"images_per_second": 4.0, "peak_bytes": 1_234_000_000},
        "training": {"size": [128, 128], "batch": 2, "precision": "bf16-mixed", "seconds": 1.5, **STEADY}
        | {"images_per_second": 2 / 1.5, "peak_bytes": 2_000_000_000, "devices": 1, "accumulate": 1},
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
        "inference_share": "1.00",
        "inference_memory": "1.23",
        "step_seconds": "1.50",
        "training_share": "1.00",
        "training_memory": "2.00",
        "hours": "0.25",
        "gpu_hours": "—",
    }
    assert alone["hours"].text == "1.50"
    assert fused["run"].detail == "DINO mini FT + SAM mini FZ at OS 4, 16"
    assert alone["run"].detail == "DINO mini FT"


def test_the_heading_says_how_it_was_measured() -> None:
    (section,) = table().sections
    assert section.title == (
        "Measured on: CPU, 1 thread; inference: 1 image of 256 x 512, 32-true; "
        "training step: 2 crops of 128 x 128, bf16-mixed"
    )
    (section,) = table(**on_gpus(4)).sections
    assert section.title.startswith("Measured on: NVIDIA X; ")
    assert section.title.endswith("2 crops of 128 x 128 in 2 parts on each of 4 devices, bf16-mixed")


def on_gpus(devices: int) -> dict[str, dict[str, Any]]:
    training = cost("fused")["training"] | {"devices": devices, "accumulate": 2}
    return {run: cost(run, device="NVIDIA X", training=training) for run in RUNS}


def test_a_gpu_hour_is_an_hour_of_one_gpu() -> None:
    alone, fused = shown(table(**on_gpus(4)))
    assert (alone["hours"].text, alone["gpu_hours"].text) == ("1.50", "6.00")
    assert (fused["hours"].text, fused["gpu_hours"].text) == ("0.25", "1.00")
    assert table(**on_gpus(4)).data.set_index("run").loc["alone", "gpu_seconds"] == 4 * 10_800


def test_without_a_gpu_there_are_no_gpu_hours() -> None:
    found = table()
    assert [row["gpu_hours"].text for row in shown(found)] == ["—", "—"]
    assert set(lay_out(found).footnotes.values()) == {"no GPU was used"}
    assert found.data["gpu_seconds"].isna().all()


def test_a_run_that_was_not_timed_says_so() -> None:
    found = table(seconds={"fused": [900.0]})
    assert shown(found)[0]["hours"].text == "—"
    assert set(lay_out(found).footnotes.values()) == {"no record of its training", "no GPU was used"}
    found = table(seconds={"fused": [900.0]}, **on_gpus(1))
    assert [row["gpu_hours"].text for row in shown(found)] == ["—", "0.25"]
    assert set(lay_out(found).footnotes.values()) == {"no record of its training"}


def test_the_speed_of_a_fused_model_stands_beside_that_of_its_master_alone() -> None:
    faster = cost("alone")["inference"] | {"images_per_second": 5.0}
    slower = cost("fused")["training"] | {"images_per_second": 1.0}
    found = table(alone=cost("alone", inference=faster), fused=cost("fused", training=slower))
    alone, fused = shown(found)
    assert (fused["inference_share"].text, fused["training_share"].text) == ("0.80", "0.75")
    assert (alone["inference_share"].text, alone["training_share"].text) == ("", "")
    data = found.data.set_index("run")
    assert data.loc["fused", "inference_share"] == pytest.approx(0.8)
    assert pd.isna(data.loc["alone", "inference_share"])


def test_every_time_has_its_spread_and_is_marked_where_that_is_not_small() -> None:
    alone, fused = shown(table())
    assert fused["images_per_second"].below == fused["step_seconds"].below == "spread 2 %"
    assert not any(cell.underline for row in (alone, fused) for cell in row.values())
    assert not any("Underlined" in note for note in table().notes)
    scattered = cost("alone")["inference"] | {"timed": 30, "spread": 0.31, "steady": False}
    found = table(alone=cost("alone", inference=scattered))
    alone, fused = shown(found)
    assert (alone["images_per_second"].below, alone["images_per_second"].underline) == ("spread 31 %", True)
    assert {key for key, cell in fused.items() if cell.underline} == {"inference_share"}
    assert "Underlined: times that still scattered after 30 repetitions" in " ".join(found.notes)
    assert found.data.set_index("run").loc["alone", "inference_spread"] == 0.31


@pytest.mark.parametrize(
    "other",
    [{"train_master": False}, {"master": "swin"}, {"upsampling": {"master": "lift"}}, {"threads": 4}],
    ids=["frozen", "encoder", "upsampled", "setup"],
)
def test_another_master_is_no_measure_of_a_fused_model(other: dict[str, Any]) -> None:
    found = table(alone=cost("alone", **other))
    assert shown(found)[1]["inference_share"].text == "—"
    assert "its master alone was not measured" in lay_out(found).footnotes.values()


def test_an_upsampler_is_part_of_the_model() -> None:
    fused = cost("fused", upsampling={"auxiliary": "lift"})
    parts = fused["parameters"] | {"auxiliary_upsampling": 1_187_280}
    found = table(fused=fused | {"parameters": parts})
    assert shown(found)[1]["run"].detail == "DINO mini FT + SAM mini FZ upsampled by lift at OS 4, 16"
    assert shown(found)[1]["inference_share"].text == "1.00"
    assert found.data.set_index("run").loc["fused", "parameters_auxiliary_upsampling"] == 1_187_280


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


def test_costs_of_another_setup_have_a_section_of_their_own() -> None:
    large = cost("fused")["training"] | {"size": [1024, 1024]}
    found = table(fused=cost("fused", training=large), published=True)
    titles = [(title, [row[0].text for row in rows]) for title, rows in lay_out(found).sections]
    assert [rows for _, rows in titles[:2]] == [["Master alone"], ["Fused"]]
    assert "2 crops of 128 x 128" in titles[0][0]
    assert "2 crops of 1024 x 1024" in titles[1][0]
    assert titles[2][0].startswith("Published")
    for rendered in (to_html(found), to_latex(found), to_markdown(found)):
        assert "1024 x 1024" in rendered


def test_a_run_without_a_cost_is_refused() -> None:
    with pytest.raises(ReportingError, match=r"\['fused'\] have no cost"):
        cost_table({"alone": cost("alone")}, {}, results.LABELS, RUNS)


def test_cost_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    path.write_text(json.dumps(cost("fused")), encoding="utf-8")
    assert read_cost(path) == cost("fused")
    path.write_text(json.dumps({"run": "fused"}), encoding="utf-8")
    with pytest.raises(ReportingError, match=r"'flops'.* are missing"):
        read_cost(path)
