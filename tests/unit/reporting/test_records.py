"""The record of scores: its rows, means over targets and seeds, and what is missing."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.records import RunResults, Score, collect_runs, scores_of
from vfm_fusion.reporting.table import Table, lay_out
from vfm_fusion.reporting.tables.main_results import build, main_results_table
from vfm_fusion.reporting.tables.per_class import per_class_table

TARGETS = ("clear", "fog")
AP = {("clear", 0): 30.0, ("clear", 1): 34.0, ("fog", 0): 20.0, ("fog", 1): 22.0}
CAR = {("clear", 0): 40.0, ("clear", 1): 50.0, ("fog", 0): 10.0, ("fog", 1): 16.0}
RUNS = {"dino_ft": "DINO"}


def evaluations() -> list[dict[str, Any]]:
    """One run, two seeds, two targets; AP and that of cars as above."""
    found = []
    for (target, seed), value in AP.items():
        content = results.evaluation("dino_ft", seed, 30.0, dataset=target, trained_on="clear")
        content["metrics"] |= {"AP": value}
        content["per_class"] = [
            entry | {"AP": CAR[target, seed]} for entry in content["per_class"] if entry["category"] == "car"
        ]
        found.append(content)
    return found


def run(content: list[dict[str, Any]], seeds: tuple[int, ...] = (0, 1)) -> RunResults:
    (found,) = collect_runs(content, RUNS, seeds, TARGETS)
    return found


def table(content: list[dict[str, Any]], **more: Any) -> Table:
    return main_results_table(content, results.LABELS, RUNS, (0, 1), targets=TARGETS, **more)


def test_an_evaluation_becomes_rows() -> None:
    content = results.evaluation("dino_ft", 3, 30.0)
    rows = list(scores_of(content))
    assert len(rows) == len(content["metrics"]) + 6 * len(results.CLASSES)
    assert rows[0] == Score("dino_ft", 3, "miniscapes", "AP", "", content["metrics"]["AP"], "")
    small = next(row for row in rows if row.metric == "APm")
    assert math.isnan(small.value)
    assert small.reason == "no medium object"
    sky = next(row for row in rows if (row.category, row.metric) == ("sky", "AP"))
    assert sky.reason == "AP of the class is undefined (no ground truth)"
    assert pd.DataFrame(rows).columns.tolist() == [
        *("run", "seed", "target", "metric", "category", "value", "reason")
    ]


def test_targets_are_averaged_within_a_seed_then_seeds() -> None:
    found = run(evaluations())
    assert found.values("AP") == {0: (25.0, ""), 1: (28.0, "")}
    assert found.level("AP") == Value(26.5, statistics.stdev([25.0, 28.0]), n=2)
    assert found.on("fog").level("AP") == Value(21.0, statistics.stdev([20.0, 22.0]), n=2)
    assert found.level("AP", "car").mean == statistics.fmean(CAR.values())


def test_one_target_without_a_value_leaves_no_average() -> None:
    content = evaluations()
    content[3]["metrics"]["AP"] = None
    content[3]["reasons"]["AP"] = "no object"
    found = run(content)
    assert found.level("AP").reason == "seed 1: fog: no object"
    assert math.isnan(found.level("AP").mean)
    assert found.on("clear").level("AP").mean == 32.0


def test_a_target_that_was_not_evaluated_is_named() -> None:
    found = run(evaluations()[:3])
    assert (found.found, found.missing) == ([0], [1])
    assert found.level("AP").reason == found.reason == "not evaluated on fog: seed 1"
    assert found.problem.startswith("run 'DINO' has 1 of 2 seeds (not evaluated on fog: seed 1)")
    assert found.on("clear").problem == ""


def test_the_table_has_columns_for_each_target_and_their_average() -> None:
    shown = table(evaluations())
    groups = [(column.group, column.title) for column in shown.columns if column.title == "AP"]
    assert groups == [("clear", "AP"), ("fog", "AP"), ("Average", "AP")]
    (row,) = lay_out(shown).sections[0][1]
    cells = dict(zip([column.key for column in shown.columns], row, strict=True))
    assert [cells[f"{group} AP"].text for group, _ in groups] == ["32.0", "21.0", "26.5"]
    assert cells["Average AP"].detail == "± 2.1"
    assert "on clear and fog after training on clear" in shown.caption
    assert "n = 80 validation images of clear, 80 of fog; task: panoptic." in shown.notes
    of = shown.data[shown.data["metric"] == "AP"].set_index(["target", "seed"])["value"]
    assert of.to_dict() == {
        **{(target, str(seed)): value for (target, seed), value in AP.items()},
        **{("clear", "all"): 32.0, ("fog", "all"): 21.0},
        **{("Average", "0"): 25.0, ("Average", "1"): 28.0, ("Average", "all"): 26.5},
    }


def test_published_values_stand_below_their_target() -> None:
    value = {"table": "3", "dataset": "ACDC", "model": "X", "mode": None, "metric": "AP", "value": 39.5}
    published = pd.DataFrame([value | {"source": "paper", "target": "fog"}])
    (row,) = lay_out(table(evaluations(), published=published)).sections[1][1]
    assert [cell.text for cell in row if cell.text not in ("", "—")] == ["X", "39.5"]


@pytest.mark.parametrize(
    ("kinds", "sections"),
    [
        (("miniscapes", "miniscapes"), ["DINO"]),
        (("miniscapes", "cityscapes"), ["DINO", "Ours-D3S2 ViT-B/16"]),
    ],
)
def test_of_several_targets_only_their_own_values_are_published(
    kinds: tuple[str, ...], sections: list[str], tmp_path: Path, repository: Path
) -> None:
    """What stands below a single target of which nothing is published is no result of several."""
    files = [tmp_path / f"{number}.json" for number in range(4)]
    for file, content in zip(files, evaluations(), strict=True):
        file.write_text(json.dumps(content), encoding="utf-8")
    of = [{"trained_on": kind, "evaluated_on": kind, "task": "panoptic"} for kind in kinds]
    found = build(
        {"evaluations": files, "published": [repository / "resources/published/metric_guided_fusion.csv"]},
        {
            **{"encoders": results.LABELS, "runs": RUNS, "seeds": (0, 1), "targets": TARGETS},
            "leading": "AP",
            "published": {"of": of, "otherwise": "2"},
        },
    )
    assert [rows[-1][0].text for _, rows in lay_out(found).sections] == sections


def test_a_missing_target_leaves_the_others_shown() -> None:
    shown = table(evaluations()[:3])
    layout = lay_out(shown)
    cells = dict(zip([column.key for column in shown.columns], layout.sections[0][1][0], strict=True))
    assert [cells[f"{group} AP"].text for group in (*TARGETS, "Average")] == ["32.0", "—", "—"]
    assert set(layout.footnotes.values()) == {"not evaluated: seed 1", "not evaluated on fog: seed 1"}
    assert cells["seeds"].text == "1 of 2"
    assert len(shown.problems) == 1


def test_classes_are_averaged_and_the_csv_holds_each_target() -> None:
    shown = per_class_table(evaluations(), results.LABELS, RUNS, (0, 1), {"car": 0.1}, TARGETS)
    (row,) = lay_out(shown).sections[0][1]
    assert (row[2].text, row[2].detail) == ("29.0", f"± {statistics.stdev([25.0, 33.0]):.1f}")
    of = shown.data[shown.data["metric"] == "AP"].set_index(["target", "seed"])["value"]
    assert of.to_dict() == CAR
    assert any(note.startswith("Average: over the data sets (clear, fog)") for note in shown.notes)


def test_unexpected_targets_are_refused() -> None:
    content = [*evaluations(), results.evaluation("dino_ft", 0, 30.0, dataset="rain")]
    with pytest.raises(ReportingError, match=r"seed 0 was not asked for on 'rain'.* on \['clear', 'fog'\]"):
        run(content)
    content = evaluations()
    content[2] |= {"images": 8}
    with pytest.raises(ReportingError, match=r"differ in 'images': 8 .* and 80"):
        run(content)
