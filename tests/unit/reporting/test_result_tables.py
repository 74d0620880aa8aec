"""The tables of what runs reach: means over seeds, classes, and what is refused."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results
from reporting_results import cells

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.main_results import main_results_table
from vfm_fusion.reporting.tables.per_class import per_class_table
from vfm_fusion.reporting.tables.profiles import profiles_table

PUBLISHED = Path(__file__).parents[3] / "resources" / "published" / "metric_guided_fusion.csv"
SEEDS = (0, 1, 2)
RATIOS = {"sky": 0.01, "road": 0.02, "person": 0.12, "rider": 0.20, "car": 0.05, "bus": 0.03}


def without(run: str, seed: int) -> list[dict[str, Any]]:
    return [e for e in results.evaluations() if (e["run"], e["seed"]) != (run, seed)]


def main_table(evaluations: list[dict[str, Any]], seeds: tuple[int, ...] = SEEDS, **more: Any) -> Table:
    return main_results_table(evaluations, results.LABELS, results.RUNS, seeds, **more)


class TestMainResults:
    def test_mean_and_std_over_seeds(self) -> None:
        evaluations = results.evaluations()
        values = [e["metrics"]["AP"] for e in evaluations if e["run"] == "fused"]
        cell = cells(main_table(evaluations))["Ours-D3S2"]["AP"]
        assert cell.text == f"{statistics.fmean(values):.1f}"
        assert cell.detail == f"± {statistics.stdev(values):.1f}"
        assert cell.bold

    def test_boundaries_stand_below_and_the_protocol_is_named(self) -> None:
        evaluations = results.evaluations()
        values = [e["metrics"]["boundary_AP"] for e in evaluations if e["run"] == "fused"]
        table = main_table(evaluations)
        row = cells(table)["Ours-D3S2"]
        assert row["AP"].below == f"boundary {statistics.fmean(values):.1f}"
        assert row["mIoU"].below.startswith("boundary ")
        assert row["PQ"].below == row["AP50"].below == ""
        assert "by the protocol of COCO" in table.caption
        assert any("regions 2 % of the image's diagonal wide" in note for note in table.notes)
        fused = table.data[(table.data["run"] == "fused") & (table.data["metric"] == "boundary_AP")]
        assert fused["value"].tolist()[:3] == values

    def test_the_protocol_of_cityscapes_has_its_own_columns(self) -> None:
        evaluations = results.evaluations()
        for e in evaluations:
            e |= {"instance_protocol": "cityscapes", "boundary_ratio": 0.005}
            e["metrics"] = {k: v for k, v in e["metrics"].items() if k not in ("AP75", "APs", "APm", "APl")}
        table = main_table(evaluations)
        shown = [column.key for column in table.columns if column.digits == 1]
        assert shown == ["AP", "AP50", "mIoU", "PQ"]
        assert "AP50 by the protocol of Cityscapes" in table.caption
        assert any("regions 0.5 % of" in note for note in table.notes)
        assert "by the protocol of Cityscapes" in TestPerClass().table(evaluations).caption

    def test_encoders_mode_stride_parameters(self) -> None:
        row = cells(main_table(results.evaluations()))["Ours-D3S2"]
        assert (row["master"].text, row["master"].detail) == ("DINO mini FT", "self-distilled, 240 images")
        assert (row["auxiliary"].text, row["auxiliary"].detail) == (
            "SAM mini FZ",
            "promptable masks, 240 images",
        )
        assert (row["stride"].text, row["parameters"].text, row["seeds"].text) == ("16", "5.73", "3")
        assert cells(main_table(results.evaluations()))["SAM2_tiny"]["master"].text == "SAM mini FZ"

    def test_one_seed_has_no_spread_and_says_so(self) -> None:
        table = main_table(results.evaluations((0,)), seeds=(0,))
        assert cells(table)["Ours-D3S2"]["AP"].detail == ""
        assert "One seed (0): no spread is known." in table.notes

    def test_missing_seed_is_said_never_averaged(self) -> None:
        table = main_table(without("fused", 1))
        row = cells(table)["Ours-D3S2"]
        assert row["AP"] == Cell("—", numeric=True, mark="a")
        assert row["seeds"].text == "2 of 3"
        assert lay_out(table).footnotes == {"a": "not evaluated: seed 1"}
        assert table.problems == (
            "run 'Ours-D3S2' has 2 of 3 seeds (not evaluated: seed 1); no mean is shown over fewer",
        )
        fused = table.data[(table.data["run"] == "fused") & (table.data["metric"] == "AP")]
        assert fused.set_index("seed")["reason"].to_dict() == {
            "0": "",
            "1": "not evaluated",
            "2": "",
            "all": "not evaluated: seed 1",
        }
        assert fused.set_index("seed")["value"].isna().to_dict() == {
            "0": False,
            "1": True,
            "2": False,
            "all": True,
        }

    def test_missing_run_keeps_its_row(self) -> None:
        table = main_table([e for e in results.evaluations() if e["run"] != "fused"])
        row = cells(table)["Ours-D3S2"]
        assert (row["seeds"].text, row["master"].text, row["AP"].text) == ("0 of 3", "—", "—")
        assert len(table.problems) == 1

    def test_nothing_evaluated_at_all(self) -> None:
        table = main_table([])
        assert len(table.problems) == len(results.RUNS)
        assert {row["AP"].text for row in cells(table).values()} == {"—"}

    def test_undefined_metric_prints_its_reason(self) -> None:
        evaluations = results.evaluations()
        broken = next(e for e in evaluations if (e["run"], e["seed"]) == ("fused", 2))
        broken["metrics"]["APs"] = None
        broken["reasons"]["APs"] = "no small object"
        table = main_table(evaluations)
        assert cells(table)["Ours-D3S2"]["APs"].mark == "a"
        assert lay_out(table).footnotes == {"a": "seed 2: no small object"}

    def test_a_task_has_the_columns_that_it_can_fill(self) -> None:
        for task, shown in (("instance", ["AP", "AP50", "AP75", "APs"]), ("semantic", ["mIoU"])):
            table = main_table([e | {"task": task} for e in results.evaluations()])
            known = [column.key for column in table.columns if column.key in results.FACTORS]
            assert known == shown
            assert ("mIoU" in table.caption) == ("mIoU" in shown)

    def test_a_transfer_says_where_it_was_trained(self) -> None:
        table = main_table([e | {"trained_on": "urbansyn"} for e in results.evaluations()])
        assert "on miniscapes after training on urbansyn" in table.caption

    def test_undefined_metric_without_reason_is_refused(self) -> None:
        evaluations = results.evaluations()
        evaluations[0]["metrics"]["AP"] = None
        with pytest.raises(ReportingError, match="'swin_ft', seed 0: undefined metric without a reason"):
            main_table(evaluations)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"images": 79}, "differ in 'images': 80 .* and 79"),
            ({"dataset": "other"}, "differ in 'dataset'"),
            ({"trained_on": "other"}, "differ in 'trained_on'"),
            (
                {"instance_protocol": "cityscapes"},
                "differ in 'instance_protocol': 'coco' .* and 'cityscapes'",
            ),
            ({"strides": [8]}, r"seeds of run 'fused' differ in 'strides': \[16\] .* and \[8\]"),
            ({"seed": 7}, "run 'fused', seed 7 was not asked for"),
            ({"seed": 1}, "run 'fused', seed 1 was given twice"),
        ],
    )
    def test_what_does_not_belong_together_is_refused(self, change: dict[str, Any], message: str) -> None:
        evaluations = results.evaluations()
        evaluations[-1] |= change
        with pytest.raises(ReportingError, match=message):
            main_table(evaluations)

    def test_published_rows(self) -> None:
        published = published_table(read_published(PUBLISHED), "2")
        shown = cells(main_table(results.evaluations(), published=published))
        row = shown["Ours-D3S2 ViT-B/16"]
        assert (row["AP"].text, row["mIoU"].text, row["PQ"].text) == ("39.5", "82.8", "—")
        assert not row["mIoU"].bold
        assert shown["Ours-D3S2"]["mIoU"].bold


class TestPerClass:
    def table(self, evaluations: list[dict[str, Any]]) -> Table:
        return per_class_table(evaluations, results.LABELS, results.RUNS, SEEDS, RATIOS)

    def test_things_only_grouped_by_ratio(self) -> None:
        layout = lay_out(self.table(results.evaluations()))
        assert [(title, [row[0].text for row in rows]) for title, rows in layout.sections] == [
            ("Boundary-sensitive classes (ratio above the median)", ["rider", "person"]),
            ("Large classes (ratio up to the median)", ["car", "bus"]),
            ("All classes", ["mean"]),
        ]

    def test_semantic_task_shows_iou_of_all_classes(self) -> None:
        evaluations = [e | {"task": "semantic"} for e in results.evaluations()]
        table = self.table(evaluations)
        assert "IoU per class" in table.caption
        assert {"sky", "road", "person"} <= set(cells(table))
        assert set(table.data["metric"]) == {"IoU", "boundary_IoU"}

    @pytest.mark.parametrize(
        ("leading", "found"),
        [("AP", {"AP", "boundary_AP"}), ("mIoU", {"IoU", "boundary_IoU"}), ("PQ", {"PQ"})],
    )
    def test_classes_show_what_the_leading_metric_is_the_mean_of(self, leading: str, found: set[str]) -> None:
        table = per_class_table(
            results.evaluations(), results.LABELS, results.RUNS, SEEDS, RATIOS, leading=leading
        )
        assert set(table.data["metric"]) == found
        assert ("sky" in cells(table)) == (leading != "AP")
        assert any(note.startswith("boundary: ") for note in table.notes) == (leading != "PQ")

    def test_mean_is_the_mean_of_the_rows(self) -> None:
        evaluations = results.evaluations()
        expected = statistics.fmean(
            statistics.fmean(c["AP"] for c in e["per_class"] if c["isthing"])
            for e in evaluations
            if e["run"] == "fused"
        )
        assert cells(self.table(evaluations))["mean"]["fused"].text == f"{expected:.1f}"

    def test_boundaries_stand_below(self) -> None:
        evaluations = results.evaluations()
        of_car = [
            entry["boundary_AP"]
            for e in evaluations
            if e["run"] == "fused"
            for entry in e["per_class"]
            if entry["category"] == "car"
        ]
        table = self.table(evaluations)
        assert cells(table)["car"]["fused"].below == f"boundary {statistics.fmean(of_car):.1f}"
        assert cells(table)["mean"]["fused"].below.startswith("boundary ")
        assert set(table.data["metric"]) == {"AP", "boundary_AP"}

    def test_missing_seed_undefined_class_and_class_without_pixels(self) -> None:
        evaluations = without("dino_ft", 0)
        for e in evaluations:
            e["per_class"].append(
                {"category": "train", "isthing": True}
                | dict.fromkeys(("AP", "AP50", "boundary_AP", "IoU", "boundary_IoU", "PQ"))
            )
        table = self.table(evaluations)
        shown = cells(table)
        assert shown["car"]["dino_ft"].text == "—"
        assert shown["train"]["ratio"].text == shown["train"]["fused"].text == "—"
        assert set(lay_out(table).footnotes.values()) == {
            "not evaluated: seed 0",
            "no ground-truth pixel",
            "seed 0: AP of the class is undefined (no ground truth)",
        }
        assert lay_out(table).sections[2][0] == "Classes without a ground-truth pixel"

    def test_a_class_that_one_run_lacks_leaves_it_without_mean(self) -> None:
        evaluations = results.evaluations()
        evaluations[-1]["per_class"] = evaluations[-1]["per_class"][:-1]
        shown = cells(self.table(evaluations))
        assert shown["mean"]["fused"].text == "—"
        assert shown["mean"]["swin_ft"].text != "—"

    def test_every_run_names_its_pretraining(self) -> None:
        notes = " ".join(self.table(results.evaluations()).notes)
        assert "Swin: Swin FT · untrained (seeded)." in notes
        assert "+ SAM mini FZ · promptable masks, 240 images, injected at OS 16." in notes


def test_every_table_names_untrained_encoders(profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
    tables = [
        profiles_table(profiles, results.LABELS, selection),
        main_table(results.evaluations()),
        TestPerClass().table(results.evaluations()),
    ]
    for table in tables:
        assert "untrained (seeded)" in to_markdown(table), table.name
