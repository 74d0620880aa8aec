"""Table, figure and paragraph of predictors: what they say, and no verdict is stronger than its evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results
import stride_results as sweeps
from predictor_results import BEST_AT_8, PREDICTED, compared, mixed, pairs, sweep

from vfm_fusion.profiles.pair_rows import ALONE, PairRow, pairs_frame
from vfm_fusion.reporting.figures.predictors import predictors_figure
from vfm_fusion.reporting.predictor_skill import HELD_OUT_PREDICTOR
from vfm_fusion.reporting.render.figure_files import save_figure
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.stride_points import POINT, predictor_keys
from vfm_fusion.reporting.stride_prediction_text import (
    NO_EF,
    NO_SETTING,
    prediction_answer,
    prediction_text,
    setting_of,
)
from vfm_fusion.reporting.tables import predictor_points
from vfm_fusion.reporting.tables.predictors import predictors_table
from vfm_fusion.reporting.verdicts import MIN_SETTINGS

DATASETS = ("one", "two")
SEEDS = {stride: [score - 0.1, score + 0.1] for stride, score in BEST_AT_8.items()}
OPPOSED = {"ef.paper": PREDICTED["ef.paper"], "rankme": PREDICTED["rankme"]}
"""EF takes the worst stride, RankMe the best."""
GOOD_EF = {"ef.paper": PREDICTED["rankme"], "rankme": PREDICTED["ef.paper"]}


def many(
    predicted: dict[str, dict[int, float]], count: int = MIN_SETTINGS, **given: Any
) -> list[pd.DataFrame]:
    given = {"scores": SEEDS, "predicted": predicted} | given
    return [frame for dataset in DATASETS for frame in pairs(count, dataset, **given)]


def outcomes(frames: Sequence[pd.DataFrame]) -> list[str]:
    return prediction_answer(compared(frames)).outcomes


class TestVerdict:
    """Against chance, against a constant stride, against the best other score."""

    def test_a_rule_that_always_finds_the_best_agrees_with_the_paper_as_far_as_it_is_beaten_by_none(
        self,
    ) -> None:
        # The best constant stride elsewhere is the best here as well, and no score elsewhere beats EF.
        assert outcomes(many(GOOD_EF)) == ["agrees", "unclear", "unclear"]
        answer = prediction_answer(compared(many(GOOD_EF)))
        assert answer.findings[2].text == "No score without labels is better than it on the other data sets."
        assert answer.findings[-1].text.startswith("So nothing here speaks for another")

    def test_a_rule_that_takes_the_worst_is_the_opposite_in_every_test(self) -> None:
        answer = prediction_answer(compared(many(OPPOSED)))
        assert answer.outcomes == ["opposite"] * 3
        assert answer.headline == "The opposite: 3 of 3 tests show the opposite."
        assert (
            "RankMe of the auxiliary for one and RankMe of the auxiliary for two" in answer.findings[2].text
        )
        assert "−5.00 points [−5.00, −5.00]" in answer.findings[2].text
        assert "another rule than the paper's (selection.rule: rankme on all" in answer.findings[-1].text

    @pytest.mark.parametrize(
        ("weaker", "expected"),
        [
            ({"count": MIN_SETTINGS // 2 - 1}, "few settings"),
            ({"scores": BEST_AT_8}, "one seed"),
        ],
    )
    def test_less_evidence_takes_no_side(self, weaker: dict[str, Any], expected: str) -> None:
        assert outcomes(many(OPPOSED, **weaker)) == [expected] * 3

    def test_few_images_take_no_side(self) -> None:
        frames = [frame.assign(images=5) for frame in many(OPPOSED)]
        assert outcomes(frames) == ["few images"] * 3

    def test_modes_of_one_pair_are_no_more_pairs(self) -> None:
        modes = [*many(OPPOSED, count=2), *many(OPPOSED, count=2, trains="FT+FZ")]
        assert len(compared(modes).settings) == 8
        assert outcomes(modes) == ["few settings"] * 3

    def test_one_data_set_leaves_two_tests_unmade(self) -> None:
        frames = pairs(MIN_SETTINGS, scores=SEEDS, predicted=OPPOSED)
        assert outcomes(frames) == ["opposite", "missing", "missing"]
        assert prediction_answer(compared(frames)).headline.startswith("Undecided")

    def test_what_is_not_there_is_said(self) -> None:
        without = prediction_answer(compared(many({"rankme": PREDICTED["rankme"]})))
        assert (without.findings[0].text, without.outcomes) == (NO_EF, ["missing"] * 3)
        nothing = prediction_answer(compared([many(OPPOSED)[0].iloc[:0]]))
        assert (nothing.findings[0].text, nothing.outcomes) == (NO_SETTING, ["missing"] * 3)
        undefined = [
            sweep(SEEDS, OPPOSED | {"ef.paper": {}}, "ef.paper: no edges", auxiliary=f"b{i}") for i in "12"
        ]
        said = prediction_answer(compared(undefined)).findings[0].text
        assert said == "EF of the auxiliary (paper) suggests no stride in any setting: no edges."


def test_the_paragraph_is_one_and_says_what_a_look_at_all_is_worth() -> None:
    text = prediction_text(compared(mixed()), ["A note."])
    heading, headline, paragraph, note = text.md.strip().split("\n\n")
    assert heading == "## Which score predicts the best injection stride"
    assert headline.startswith("**")
    assert "not corrected for the number of looks" in paragraph
    assert "For comparison: Linear probe, few labels hits in" in paragraph
    assert note == "A note."
    assert "<p>A note.</p>" in text.html


def test_a_column_is_what_selects_by_it() -> None:
    assert setting_of("ef_lead.paper") == "selection.rule: ef_lead, selection.definition: paper"


def test_the_table_has_every_way_with_its_interval() -> None:
    comparison = compared(mixed())
    table = predictors_table(comparison)
    shown = results.cells(table)
    assert len(shown) == len(comparison.skills) == 11 + 1 + 4 + 2
    assert shown["EF of the auxiliary (paper)"]["over_ef"].text == "0.00"
    assert shown["Linear probe, few labels"]["hits"].bold is False
    assert shown["A stride drawn at random"]["hits"].text == "25"
    data = table.data
    assert set(data["dataset"]) == {"all", "miniscapes", "camvid", "penn-fudan"}
    chosen = data[(data["way"] == HELD_OUT_PREDICTOR) & (data["statistic"] == "chosen")]
    assert dict(zip(chosen["dataset"], chosen["choice"], strict=True)) == comparison.chosen(
        HELD_OUT_PREDICTOR
    )
    missing = data[data["value"].isna() & (data["statistic"] != "chosen")]
    assert missing["reason"].all()
    said = to_markdown(table)
    assert "15 settings (" in said
    assert (
        "of 12 pairs on miniscapes (AP), camvid (AP) and penn-fudan (AP), from study; 3 seeds each." in said
    )
    assert "In 6 of 15 the best stride is ahead of the next beyond the spread over seeds." in said


def test_a_predictor_that_is_partly_undefined_is_told_in_a_note() -> None:
    frames = [*many(OPPOSED), sweep(SEEDS, {"ef.paper": {4: 1.0}}, dataset="three")]
    notes = predictors_table(compared(frames)).notes
    assert "RankMe of the auxiliary takes no stride in 1 setting: not computed there." in notes


def test_a_table_and_a_figure_of_nothing_are_made(tmp_path: Path) -> None:
    comparison = compared([many(OPPOSED)[0].iloc[:0]])
    assert "there is no setting" in to_markdown(predictors_table(comparison))
    save_figure(predictors_figure(comparison), pdf=tmp_path / "a.pdf", png=tmp_path / "a.png", dpi=50)


def test_the_figure_has_a_row_for_every_way_and_marks_chance(tmp_path: Path) -> None:
    comparison = compared(mixed())
    figure = predictors_figure(comparison)
    hits, regret, _ = figure.axes
    assert len(hits.get_yticklabels()) == len(comparison.skills) - 1  # chance is the line
    assert [line.get_xdata()[0] for line in hits.lines if line.get_linestyle() == "--"] == [25]
    assert -0.5 < regret.get_xlim()[0] < 0
    save_figure(figure, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png", dpi=50)


class TestPoints:
    """From result files to points."""

    @pytest.fixture
    def inputs(self, tmp_path: Path) -> dict[str, list[Path]]:
        summaries = results.write_profiles(tmp_path)
        rows = [
            PairRow("mini_dino", "mini_sam", stride, measure, value, value, value, None)
            for measure, values in (("cka", (0.9, 0.5, 0.8, 0.1)), ("probe", (20.0, 30.0, 25.0, 10.0)))
            for stride, value in zip(results.STRIDES, values, strict=True)
        ]
        rows.append(PairRow("mini_dino", None, ALONE, "probe", 15.0, 14.0, 16.0, None))
        pairs_frame(rows).to_parquet(tmp_path / "pairs.parquet")
        runs = [
            *sweeps.alone("dino-fz", sweeps.DINO, False, [28.0, 29.0]),
            *sweeps.sweep("b", {4: [30.0, 30.5], 8: [31.0, 33.0], 16: [32.0, 32.0]}),
            *sweeps.sweep("c", {32: [31.0, 31.0]}),
        ]
        return {
            "evaluations": results.write_evaluations(tmp_path, runs),
            "summaries": list(summaries.values()),
            "pairs": [tmp_path / "pairs.parquet"],
        }

    def table(self, inputs: dict[str, list[Path]], leading: str = "AP") -> Any:
        runs = dict.fromkeys(json.loads(path.read_text())["run"] for path in inputs["evaluations"])
        swept = {"dataset": "miniscapes", "profiled": "miniscapes", "runs": [(run, run) for run in runs]}
        settings = {
            "study": "example",
            "encoders": list(results.LABELS.items()),
            "definitions": ["paper", "calibrated"],
            "profiled": ["miniscapes"],
            "seeds": [0, 1],
            "leading": leading,
            "sweeps": [swept | {"fusions": [(run, "replace") for run in runs]}],
        }
        return predictor_points.build(inputs, settings)

    def test_a_point_has_result_gain_and_every_predictor(self, inputs: dict[str, list[Path]]) -> None:
        table = self.table(inputs)
        points = table.data
        assert list(points) == [*POINT, *predictor_keys(["paper", "calibrated"]), "reason"]
        assert len(points) == 3 * 2  # the other direction has one stride
        point = points[(points["stride"] == 8) & (points["seed"] == 1)].iloc[0]
        said = {name: point[name] for name in POINT}
        assert said == {
            **{"study": "example", "dataset": "miniscapes", "task": "panoptic", "metric": "AP"},
            **{"master": "mini_dino", "auxiliary": "mini_sam", "trains": "FZ+FZ", "fusion": "replace"},
            **{"stride": 8, "seed": 1, "images": 80, "score": 33.0, "gain": 4.0},
        }
        assert point["unlikeness"] == 0.5
        assert point["probe"] == 30.0
        assert point["ef.paper"] == pytest.approx(11 * 1.2)
        assert point["ef_above_null.paper"] == pytest.approx(11 * 1.2 - 3)
        assert point["ef_lead.calibrated"] == pytest.approx((11 - 2) * 1.2 / 2)
        assert point["ef_times_unlikeness.paper"] == pytest.approx(11 * 1.2 / 2)
        assert point["reason"] == (
            "rankme: rankme was not computed; rankme_times_unlikeness: rankme was not computed"
        )

    def test_the_leading_metric_is_what_strides_are_judged_by(self, inputs: dict[str, list[Path]]) -> None:
        assert set(self.table(inputs, "mIoU").data["metric"]) == {"mIoU"}
        assert set(self.table(inputs, "PQ").data["metric"]) == {"AP"}  # no run has it

    def test_the_shown_rows_are_gains(self, inputs: dict[str, list[Path]]) -> None:
        table = self.table(inputs)
        row = results.cells(table)["DINO mini"]
        assert [row[f"os{stride}"].text for stride in (4, 8, 16)] == ["1.75", "3.50", "3.50"]
        assert "FZ+FZ" in row["trains"].text
        assert not table.problems

    def test_without_the_master_alone_there_is_a_result_but_no_gain(
        self, inputs: dict[str, list[Path]]
    ) -> None:
        inputs["evaluations"] = [path for path in inputs["evaluations"] if "dino-fz" not in path.name]
        table = self.table(inputs)
        assert table.data["gain"].isna().all()
        assert table.data["score"].notna().all()
        assert results.cells(table)["DINO mini"]["os4"].mark

    def test_pairs_that_were_not_measured_are_undefined_with_a_reason(
        self, inputs: dict[str, list[Path]]
    ) -> None:
        path = inputs["pairs"][0]
        frame = pd.read_parquet(path)
        frame.loc[frame["stride"] == 8, ["value", "reason"]] = [float("nan"), "constant_features"]
        frame[frame["stride"] != 16].to_parquet(path)
        reasons = self.table(inputs).data.drop_duplicates("stride").set_index("stride")["reason"]
        assert "unlikeness: constant features" in reasons[8]
        assert "probe: probe was not measured" in reasons[16]
