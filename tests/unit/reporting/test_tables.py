"""The tables: what is shown, marked, averaged and refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results
from reporting_results import cells

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.result_files import read_benchmarks, read_choice
from vfm_fusion.reporting.table import Cell, lay_out
from vfm_fusion.reporting.tables.profiles import profiles_table
from vfm_fusion.reporting.tables.runtime import runtime_table
from vfm_fusion.reporting.tables.stability import stability_table

PUBLISHED = Path(__file__).parents[3] / "resources" / "published" / "metric_guided_fusion.csv"
SEEDS = (0, 1, 2)
RATIOS = {"sky": 0.01, "road": 0.02, "person": 0.12, "rider": 0.20, "car": 0.05, "bus": 0.03}


class TestProfiles:
    def test_values_intervals_and_pretraining(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        shown = cells(profiles_table(profiles, results.LABELS, selection))
        by_key = profiles.set_index(["definition", "encoder", "stride", "score"])
        row = by_key.loc[("paper", "mini_sam", 16, "ef")]
        cell = shown["SAM mini"]["ef_16"]
        assert cell.text == f"{row['mean']:.2f}"
        assert cell.detail == f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
        assert {name: row["encoder"].detail for name, row in shown.items()} == {
            entry["label"]: entry["pretraining"] for entry in results.LABELS.values()
        }

    def test_another_rule_is_named_where_the_stride_is_marked(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        ruled = selection | {"stride": 4, "rule": {"name": "unlikeness", "title": "1 − CKA"}}
        table = profiles_table(profiles, results.LABELS, ruled)
        assert cells(table)["SAM mini"]["ef_4"].underline
        said = (
            "underlined: the auxiliary's EF where it is injected, at OS 4 (peak of 1 − CKA, selection.rule: "
        )
        assert [note for note in table.notes if said in note]

    def test_choice_is_marked_once(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        shown = cells(profiles_table(profiles, results.LABELS, selection))
        underlined = [(n, key) for n, row in shown.items() for key, cell in row.items() if cell.underline]
        assert underlined == [("SAM mini", "ef_16")]
        assert {name: row["role"].text for name, row in shown.items()} == {
            "DINO mini": "master",
            "SAM mini": "auxiliary",
            "Swin": "",
        }

    def test_one_encoder_is_shown_without_a_choice(self, profiles: pd.DataFrame) -> None:
        alone = profiles[profiles["encoder"] == "mini_sam"]
        table = profiles_table(alone, results.LABELS, read_choice([], "photos", "calibrated"))
        shown = lay_out(table)
        assert [title for title, _ in shown.sections] == [
            "By the definition 'calibrated'",
            "By the definition 'paper'",
        ]
        assert [column.key for column in table.columns][:2] == ["encoder", "sc_4"]
        assert "on photos, label-free" in table.caption
        assert "Bold" not in table.notes[0]
        several = profiles_table(profiles, results.LABELS, read_choice([], "photos", "calibrated"))
        assert several.notes[1].startswith("No pair is chosen: SC or EF of an encoder is undefined")
        assert table.notes[1] == "One encoder: there is no pair to choose."
        assert not any(
            cell.underline or cell.bold for _, rows in shown.sections for row in rows for cell in row
        )

    def test_undefined_score_prints_its_reason(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        table = profiles_table(profiles, results.LABELS, selection)
        assert cells(table)["Swin"]["sc_32"] == Cell("—", numeric=True, mark="a")
        assert lay_out(table).footnotes == {"a": "grid too fine"}
        assert "n = 80 images" in table.notes[0]
        assert "undefined on up to 80" in table.notes[0]

    def test_one_image_has_no_interval_and_clears_no_null_floor(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        one = profiles["encoder"].eq("mini_sam") & profiles["stride"].eq(16)
        table = profiles_table(
            profiles.assign(images=profiles["images"].mask(one, 1)), results.LABELS, selection
        )
        cell = cells(table)["SAM mini"]["ef_16"]
        assert (cell.detail, cell.below) == ("", "n = 1; null 3.00 †")
        assert table.notes[0].count("n = 1: one image has no interval") == 1

    def test_best_of_a_column_is_bold(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        shown = cells(profiles_table(profiles, results.LABELS, selection))
        assert {name for name, row in shown.items() if row["sc_4"].bold} == {"DINO mini"}
        assert {name for name, row in shown.items() if row["ef_4"].bold} == {"SAM mini"}

    def test_null_floor_stands_below_and_is_marked_where_it_is_not_cleared(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        table = profiles_table(profiles, results.LABELS, selection)
        shown = cells(table)
        assert shown["SAM mini"]["ef_16"].below == "null 3.00"
        assert shown["SAM mini"]["sc_32"].below == "null 0.40 †"
        assert {shown["DINO mini"][f"ef_{stride}"].below for stride in (4, 8, 16)} == {"null 3.00 †"}
        assert any(note.startswith("null: mean score of the same features") for note in table.notes)
        without = profiles[~profiles["score"].str.contains("_")]
        table = profiles_table(without, results.LABELS, selection)
        assert cells(table)["SAM mini"]["ef_16"].below == ""
        assert "No null floor was computed." in table.notes
        half = profiles[profiles["score"] != "sc_excess"]
        with pytest.raises(ReportingError, match="'mini_dino' has sc_null but no sc_excess"):
            profiles_table(half, results.LABELS, selection)

    def test_every_definition_has_a_section_the_deciding_one_first(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        swapped = selection | {"definition": "calibrated"}
        for chosen, factor in ((selection, 1.0), (swapped, 0.5)):
            table = profiles_table(profiles, results.LABELS, chosen)
            first, second = (
                {row["encoder"].value: row for row in section.rows} for section in table.sections
            )
            assert first["DINO mini"]["sc_4"].value.mean == pytest.approx(0.70 * factor)
            assert second["DINO mini"]["sc_4"].value.mean == pytest.approx(0.35 / factor)
            assert [first["SAM mini"]["role"], second["SAM mini"]["role"]] == ["auxiliary", ""]
            assert [rows["SAM mini"]["ef_16"].underline for rows in (first, second)] == [True, False]
        bold = [[row[2].bold for row in rows] for _, rows in lay_out(table).sections]
        assert bold == [[True, False, False], [True, False, False]]
        with pytest.raises(ReportingError, match="'other', but there are profiles by: paper, calibrated"):
            profiles_table(profiles, results.LABELS, selection | {"definition": "other"})

    def test_csv_holds_every_score(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        data = profiles_table(profiles, results.LABELS, selection).data
        assert len(data) == 2 * 3 * 4 * len(results.SCORES)
        assert data["pretraining"].notna().all()
        assert list(data["definition"].unique()) == ["paper", "calibrated"]
        assert set(data.loc[data["score"] == "ef_null", "mean"]) == {3.0, 0.0}

    def test_published_rows_stand_apart(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        published = published_table(read_published(PUBLISHED), "5")
        table = profiles_table(profiles, results.LABELS, selection, published)
        assert [section.title for section in table.sections] == [
            "By the definition 'paper' (pairs the encoders)",
            "By the definition 'calibrated'",
            "Published (Table 5), pretrained weights",
        ]
        shown = cells(table)
        assert shown["SAM2"]["ef_16"].text == "17.13"
        assert not shown["SAM2"]["ef_16"].bold

    def test_missing_profile_and_label(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        gap = profiles[~((profiles["encoder"] == "swin") & (profiles["stride"] == 8))]
        with pytest.raises(ReportingError, match="'swin' has no sc at OS 8 by definition 'paper'"):
            profiles_table(gap, results.LABELS, selection)
        labels = {key: value for key, value in results.LABELS.items() if key != "swin"}
        with pytest.raises(ReportingError, match="'swin' has no label"):
            profiles_table(profiles, labels, selection)


class TestStability:
    def test_agreement_in_percent_and_what_the_resamples_choose(self) -> None:
        table = stability_table(results.stability(), results.LABELS)
        agreement, outcomes = lay_out(table).sections
        texts = [[cell.text for cell in row] for row in agreement[1]]
        assert texts[0] == [
            *("Resampled, with replacement", "80", "1000"),
            *("95.0", "100.0", "95.0", "98.0", "93.0"),
        ]
        assert texts[1][:4] == ["Subset, without replacement", "2", "1000", "75.0"]
        assert [[cell.text for cell in row] for row in outcomes[1]] == [
            ["DINO mini", "", "", "95.0", "0.0", "", "", ""],
            ["SAM mini", "", "", "0.0", "100.0", "", "", ""],
            ["Swin", "", "", "5.0", "0.0", "", "", ""],
            ["OS 16", "", "", "", "", "", "98.0", ""],
            ["OS 32", "", "", "", "", "", "2.0", ""],
        ]
        assert "The metric's own seed was not varied." in table.notes

    def test_csv_adds_up(self) -> None:
        data = stability_table(results.stability(), results.LABELS).data
        for _, group in data.groupby(["kind", "images", "part"]):
            assert group["share"].sum() == pytest.approx(1)
            assert group["as_chosen"].sum() == 1
        resampled = data[(data["kind"] == "resamples") & (data["part"] == "pair_and_stride")]
        assert dict(zip(resampled["outcome"], resampled["share"], strict=True)) == {
            "mini_dino + mini_sam + 16": 0.93,
            "mini_dino + mini_sam + 32": 0.02,
            "swin + mini_sam + 16": 0.05,
        }

    def test_one_image_prints_why_nothing_is_known(self) -> None:
        table = stability_table(results.stability(1), results.LABELS)
        ((_, (row,)),) = lay_out(table).sections
        assert [cell.text for cell in row[3:]] == ["—"] * 5
        assert lay_out(table).footnotes == {"a": "there is one image"}
        assert table.data["share"].isna().all()

    def test_draws_without_an_answer_are_shown(self) -> None:
        stability = results.stability()
        stability["repetitions"][0]["outcomes"].append(
            {"master": None, "auxiliary": None, "stride": None, "share": 0.01}
        )
        last = lay_out(stability_table(stability, results.LABELS)).sections[1][1][-1]
        assert last[0].text.startswith("nothing: a score is undefined")
        assert {cell.text for cell in last[3:]} == {"1.0"}

    def test_other_seeds_are_a_row(self) -> None:
        stability = results.stability()
        seeds = stability["repetitions"][0] | {"kind": "seeds", "draws": 5}
        stability["repetitions"].append(seeds)
        table = stability_table(stability, results.LABELS)
        assert [cell.text for cell in lay_out(table).sections[0][1][-1]][:3] == [
            *("Other metric seeds, same images", "80", "5")
        ]
        assert not any("seed was not varied" in note for note in table.notes)


class TestRuntime:
    def test_rows_in_the_given_order_then_alphabetical(self, tmp_path: Path) -> None:
        jobs = read_benchmarks(results.write_benchmarks(tmp_path))
        table = runtime_table(jobs, ("train", "never_run"))
        assert list(cells(table)) == ["train", "extract_features", "select"]

    def test_sums_maxima_and_unsampled_jobs(self, tmp_path: Path) -> None:
        shown = cells(runtime_table(read_benchmarks(results.write_benchmarks(tmp_path))))
        texts = {key: cell.text for key, cell in shown["extract_features"].items()}
        assert texts == {
            "rule": "extract_features",
            "jobs": "2",
            "seconds_total": "20.0",
            "seconds_mean": "10.0",
            "seconds_max": "12.5",
            "cpu_seconds_total": "40.5",
            "max_rss_mb": "812",
        }
        assert shown["select"]["max_rss_mb"].text == "—"

    def test_agrees_with_snakemakes_own_record(self, tmp_path: Path) -> None:
        from snakemake.benchmark import BenchmarkRecord

        record = BenchmarkRecord(rule_name=None, running_time=2.5, max_rss=100.0, cpu_time=4.0)
        for name in ("wildcards", "params", "resources"):
            setattr(record, name, {})
        record.jobid, record.rule_name, record.threads, record.input = 1, "profile", 1, []
        record.data_collected = True
        path = tmp_path / "profile.jsonl"
        path.write_text(record.to_json(extended_fmt=True) + "\n", encoding="utf-8")
        job = read_benchmarks({path: "fallback"}).iloc[0]
        assert job.to_dict() == {"rule": "profile", "seconds": 2.5, "cpu_seconds": 4.0, "max_rss": 100.0}

    def test_a_line_without_time_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jsonl"
        path.write_text('{"max_rss": 3}\n', encoding="utf-8")
        with pytest.raises(ReportingError, match=r"x\.jsonl, line 1: no running time"):
            read_benchmarks({path: "x"})


def test_evaluation_files_round_trip_and_are_checked(tmp_path: Path) -> None:
    content = results.evaluations((0,))[0]
    (path,) = results.write_evaluations(tmp_path, [content])
    assert read_evaluation(path) == content
    path.write_text('{"run": "x"}', encoding="utf-8")
    with pytest.raises(ReportingError, match=r"keys \['seed', .* are missing"):
        read_evaluation(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ReportingError, match="not valid JSON"):
        read_evaluation(path)


def test_published_values_all_have_a_source() -> None:
    published = read_published(PUBLISHED)
    assert len(published) > 300
    assert not any(math.isnan(value) for value in published["value"])
    with pytest.raises(ReportingError, match="no published value of table '99'"):
        published_table(published, "99")
