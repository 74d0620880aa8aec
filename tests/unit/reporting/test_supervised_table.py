"""SC beside SC_GT, and EF beside the gain per stride: means, correlations, and too little to correlate."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap, by_image, estimate, read_image_scores
from vfm_fusion.reporting.labels import run_encoders
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.html import to_html
from vfm_fusion.reporting.render.latex import to_latex
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.stride_gain import stride_gain_table
from vfm_fusion.reporting.tables.supervised import supervised_table

PUBLISHED = Path(__file__).parents[3] / "resources" / "published" / "metric_guided_fusion.csv"
STRIDES = (4, 8, 16, 32)
IMAGES = 6
BOOTSTRAP = Bootstrap(200, 0)
LEVELS = {"mini_dino": 0.7, "mini_sam": 0.45, "swin": 0.62}


def image_scores(levels: dict[int, float], keys: dict[str, str], seed: int = 0) -> pd.DataFrame:
    """Per-image values around a level per stride; a NaN level is undefined for every image."""
    rng = np.random.default_rng(seed)
    rows = [
        {"image_id": f"i{i}", **keys, "stride": stride, "value": level + 0.01 * rng.normal()}
        for stride, level in levels.items()
        for i in range(IMAGES)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(reason=np.where(frame["value"].isna(), "grid_too_fine", None))


def profile(sc: float, ef: dict[int, float], seed: int = 0) -> pd.DataFrame:
    parts = [
        image_scores(dict.fromkeys(STRIDES, sc), {"definition": "paper", "score": "sc"}, seed),
        image_scores(ef, {"definition": "paper", "score": "ef"}, seed),
        image_scores(dict.fromkeys(STRIDES, 0.1), {"definition": "calibrated", "score": "sc"}, seed),
    ]
    return pd.concat(parts, ignore_index=True)


def truth(semantic: float, instance: float, seed: int = 1) -> pd.DataFrame:
    parts = [
        image_scores(dict.fromkeys(STRIDES, level), {"labels": kind, "score": "sc_gt"}, seed)
        for kind, level in (("semantic", semantic), ("instance", instance))
    ]
    return pd.concat(parts, ignore_index=True)


EF = {"mini_dino": dict.fromkeys(STRIDES, 2.0), "mini_sam": {4: 6.0, 8: 9.0, 16: 18.0, 32: 13.0}}
PROFILES = {name: profile(sc, EF.get(name, EF["mini_dino"])) for name, sc in LEVELS.items()}
TRUTH = {"mini_dino": truth(0.5, 0.3), "mini_sam": truth(0.2, 0.4), "swin": truth(0.4, 0.2)}


def supervised(**changes: Any) -> Table:
    arguments: dict[str, Any] = {
        "profiles": PROFILES,
        "supervised": TRUTH,
        "labels": results.LABELS,
        "dataset": "miniscapes",
        "definition": "paper",
        "bootstrap": BOOTSTRAP,
    }
    return supervised_table(**(arguments | changes))


def lines(table: Table) -> list[dict[str, Cell]]:
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, row, strict=True)) for _, rows in lay_out(table).sections for row in rows]


def by_first(table: Table) -> dict[str, dict[str, Cell]]:
    return {row["encoder"].text: row for row in lines(table)}


class TestSupervised:
    def test_levels_are_means_over_images_and_strides(self) -> None:
        shown = by_first(supervised())
        frame = PROFILES["swin"]
        values = frame[(frame["definition"] == "paper") & (frame["score"] == "sc")]["value"]
        assert shown["Swin"]["sc"].text == f"{values.mean():.2f}"
        assert shown["Swin"]["sc"].detail.startswith("[")
        assert [shown[name]["semantic"].text for name in ("DINO mini", "SAM mini", "Swin")] == [
            "0.50",
            "0.20",
            "0.40",
        ]
        assert shown["DINO mini"]["encoder"].detail == "self-distilled, 240 images"

    def test_rank_correlation_with_exact_p_and_its_worth(self) -> None:
        table = supervised()
        shown = by_first(table)
        # SC ranks dino, swin, sam: as the classes do; the objects rank sam, dino, swin.
        assert shown["Spearman's ρ"]["semantic"].text == "1.00"
        assert shown["p, two-sided"]["semantic"].text == "0.33"
        assert shown["Spearman's ρ"]["instance"].text == "−0.50"
        assert shown["p, two-sided"]["instance"].text == "1.00"
        assert shown["Spearman's ρ"]["sc"].text == ""
        (said,) = [note for note in table.notes if "evidence" in note]
        assert said.startswith("With 3 encoders the exact two-sided p cannot fall below 0.33")

    def test_two_encoders_have_no_rank_correlation(self) -> None:
        labels = {name: results.LABELS[name] for name in ("mini_dino", "swin")}
        table = supervised(labels=labels)
        assert by_first(table)["Spearman's ρ"]["semantic"].text == "—"
        assert list(lay_out(table).footnotes.values()) == ["a rank correlation needs 3 pairs, there are 2"]

    def test_a_data_set_without_objects(self) -> None:
        def without(frame: pd.DataFrame) -> pd.DataFrame:
            objects = frame["labels"] == "instance"
            return frame.assign(
                value=frame["value"].mask(objects), reason=np.where(objects, "not_annotated", None)
            )

        table = supervised(supervised={name: without(frame) for name, frame in TRUTH.items()})
        shown = by_first(table)
        assert shown["Swin"]["instance"].text == shown["Spearman's ρ"]["instance"].text == "—"
        assert shown["Swin"]["semantic"].text == "0.40"
        assert "not annotated" in lay_out(table).footnotes.values()
        assert "mean over OS 4, 8, 16, 32." in table.notes[0]

    def test_only_strides_that_all_encoders_have_count(self) -> None:
        frame = TRUTH["swin"]
        gap = frame.assign(value=frame["value"].mask(frame["stride"] == 32))
        table = supervised(supervised=TRUTH | {"swin": gap})
        assert "mean over OS 4, 8, 16 (at 32 some measure is undefined for some encoder)" in table.notes[0]

    def test_images_without_a_score_are_counted(self) -> None:
        frame = TRUTH["swin"]
        lost = (frame["labels"] == "instance") & frame["image_id"].isin(["i0", "i1"])
        gap = frame.assign(value=frame["value"].mask(lost))
        shown = by_first(supervised(supervised=TRUTH | {"swin": gap}))
        assert shown["Swin"]["instance"].below == "n = 4"
        assert shown["Swin"]["semantic"].below == shown["DINO mini"]["instance"].below == ""

    def test_the_definition_is_the_one_asked_for(self) -> None:
        assert by_first(supervised(definition="calibrated"))["Swin"]["sc"].text == "0.10"
        with pytest.raises(ReportingError, match="'mini_dino' has no sc of definition 'other'"):
            supervised(definition="other")

    def test_published_values_stand_apart(self) -> None:
        published = published_table(read_published(PUBLISHED), "7")
        shown = by_first(supervised(published=published))
        assert (shown["SAM2"]["sc"].text, shown["SAM2"]["published"].text) == ("0.56", "0.09")
        assert shown["Spearman's ρ, of these values"]["published"].text == "1.00"
        assert shown["Spearman's ρ, as published"]["published"].text == "0.73"
        assert not shown["SAM2"]["sc"].bold

    def test_csv_holds_every_number(self) -> None:
        data = supervised().data
        assert len(data) == 3 * 3 + 2 * 2
        rho = data[(data["measure"] == "SC_GT, classes") & (data["statistic"] == "spearman_rho")]
        assert (rho["value"].item(), rho["n"].item()) == (1.0, 3)


def fused(run: str, stride: int, gain: float, **changes: Any) -> list[dict[str, Any]]:
    """Evaluations of a fused run whose AP is ``gain`` above that of its master alone."""
    found = []
    for seed, alone in enumerate(ALONE):
        content = results.evaluation("fused", seed, 30.0, strides=[stride], **changes) | {"run": run}
        content["metrics"] = content["metrics"] | {"AP": alone["metrics"]["AP"] + gain + 0.1 * seed}
        found.append(content)
    return found


ALONE = [results.evaluation("dino_ft", seed, 30.0) for seed in (0, 1)]
GAINS = {4: 2.8, 8: 7.7, 16: 11.1, 32: 4.9}


def gain_table(evaluations: list[dict[str, Any]], **changes: Any) -> Table:
    runs = {run: run for run in dict.fromkeys(e["run"] for e in evaluations)}
    arguments: dict[str, Any] = {
        "profiles": PROFILES,
        "labels": results.LABELS,
        "runs": runs,
        "fusions": dict.fromkeys(runs, "operator replace, align sample"),
        "seeds": (0, 1),
        "definition": "paper",
        "bootstrap": BOOTSTRAP,
    }
    return stride_gain_table(evaluations, **(arguments | changes))


def all_strides() -> list[dict[str, Any]]:
    return [*ALONE, *(e for stride, gain in GAINS.items() for e in fused(f"os{stride}", stride, gain))]


class TestStrideGain:
    def test_gain_is_the_difference_within_a_seed(self) -> None:
        shown = {row["stride"].text: row for row in lines(gain_table(all_strides()))}
        gains = [7.7, 7.8]
        assert shown["8"]["AP"].text == f"{statistics.fmean(gains):.2f}"
        assert shown["8"]["AP"].detail == f"± {statistics.stdev(gains):.2f}"
        sam = PROFILES["mini_sam"]
        ef = sam[(sam["score"] == "ef") & (sam["stride"] == 16)]["value"].mean()
        assert shown["16"]["ef"].text == f"{ef:.2f}"

    def test_correlation_over_four_strides(self) -> None:
        table = gain_table(all_strides())
        shown = {row["stride"].text: row for row in lines(table)}
        assert shown["Spearman's ρ with EF"]["AP"].text == "0.80"
        assert shown["p, two-sided"]["AP"].text == "0.33"
        assert any(note.startswith("With 4 strides") and "0.083" in note for note in table.notes)

    @pytest.mark.parametrize(
        ("strides", "said"), [((16,), "1 stride trained"), ((8, 16), "2 strides trained")]
    )
    def test_too_few_strides_are_said_in_the_cell(self, strides: tuple[int, ...], said: str) -> None:
        evaluations = [*ALONE, *(e for s in strides for e in fused(f"os{s}", s, GAINS[s]))]
        table = gain_table(evaluations)
        last = lines(table)[-1]
        assert (last["stride"].text, last["AP"].text, last["mIoU"].text) == (
            "Spearman's ρ with EF",
            said,
            said,
        )
        for rendered in (to_html(table), to_latex(table), to_markdown(table)):
            assert said in rendered

    def test_runs_that_differ_in_more_than_the_stride_are_not_compared(self) -> None:
        frozen = {"master": {"encoder": "mini_dino", "trainable": False, "pretraining": "x"}}
        evaluations = [
            *ALONE,
            *fused("os8", 8, 1.0),
            *fused("projected", 16, 2.0),
            *fused("frozen", 32, 3.0, **frozen),
        ]
        fusions = {"dino_ft": "sample", "os8": "sample", "projected": "project", "frozen": "sample"}
        layout = lay_out(gain_table(evaluations, fusions=fusions))
        assert [len(rows) for _, rows in layout.sections] == [2, 2, 2]
        assert [title.rpartition("; ")[2] for title, _ in layout.sections] == ["sample", "project", "sample"]
        assert "into DINO mini FZ" in layout.sections[2][0]
        assert list(layout.footnotes.values()) == ["no run trains this master alone in the same way"]

    def test_a_trained_auxiliary_is_another_fusion(self) -> None:
        trained = {"auxiliary": results.evaluation("fused", 0, 30.0)["auxiliary"] | {"trainable": True}}
        evaluations = [*ALONE, *fused("os8", 8, 1.0), *fused("trained", 8, 2.0, **trained)]
        titles = [title for title, _ in lay_out(gain_table(evaluations)).sections]
        assert [title.split(" · ")[0] for title in titles] == ["SAM mini FZ", "SAM mini FT"]

    def test_a_run_of_several_strides_stands_below_and_outside_the_correlation(self) -> None:
        both = [e | {"strides": [4, 16]} for e in fused("both", 4, 9.0)]
        table, without = gain_table([*both, *all_strides()]), gain_table(all_strides())
        shown = lines(table)
        assert [row["stride"].text for row in shown] == [
            *("4", "8", "16", "32", "4 + 16"),
            *("EF suggests OS 16", "Spearman's ρ with EF", "p, two-sided"),
        ]
        assert (shown[4]["ef"].text, shown[4]["AP"].text) == ("—", "9.05")
        assert "several strides have no single EF" in lay_out(table).footnotes.values()
        texts = [[cell.text for cell in row.values()] for row in (*shown[:4], *shown[5:])]
        assert texts == [[cell.text for cell in row.values()] for row in lines(without)]
        record = table.data[(table.data["run"] == "both") & (table.data["metric"] == "AP")].iloc[0]
        assert (record["stride"], record["value"]) == ("4 + 16", pytest.approx(9.05))
        assert math.isnan(record["ef"])
        assert run_encoders(both[0], results.LABELS).endswith("injected at OS 4, 16")

    def test_a_group_may_have_runs_of_several_strides_alone(self) -> None:
        both = [e | {"strides": [16, 4]} for e in fused("both", 4, 9.0)]
        shown = lines(gain_table([*ALONE, *both]))
        assert [row["stride"].text for row in shown] == ["4 + 16", "Spearman's ρ with EF"]
        assert shown[1]["AP"].text == "0 strides trained"

    def test_the_suggested_stride_is_judged_by_every_metric(self) -> None:
        table = gain_table(all_strides())
        row = next(row for row in lines(table) if row["stride"].text == "EF suggests OS 16")
        assert row["AP"].text == "hit, +3.40"  # 11.1 over the 7.7 of OS 8
        assert row["mIoU"].text == "hit, +0.00"  # all alike
        assert any(note.startswith("EF suggests the stride") for note in table.notes)
        data = table.data[table.data["statistic"] == "suggested_margin"].set_index("metric")
        assert (data.loc["AP", "stride"], data.loc["AP", "n"]) == ("16", 4)
        assert data.loc["AP", "value"] == pytest.approx(3.4)

    def test_a_suggested_stride_that_was_not_trained_is_said(self) -> None:
        table = gain_table([*ALONE, *fused("os4", 4, 1.0), *fused("os8", 8, 2.0)])
        row = next(row for row in lines(table) if row["stride"].text == "EF suggests OS 16")
        assert row["AP"].text == "OS 16 not trained"

    def test_a_missing_seed_is_said(self) -> None:
        table = gain_table(all_strides()[1:])  # the master alone lacks seed 0
        assert set(lay_out(table).footnotes.values()) == {
            "the master alone is not evaluated: seed 0",
            "a rank correlation needs 3 pairs, there are 0",
        }
        assert len(table.problems) == 1

    def test_metrics_that_no_run_has_are_left_out(self) -> None:
        def semantic(e: dict[str, Any]) -> dict[str, Any]:
            return e | {
                "metrics": {"AP": None, "PQ": None, "mIoU": e["metrics"]["mIoU"]},
                "reasons": dict.fromkeys(("AP", "PQ"), "trained for semantic segmentation only"),
            }

        published = published_table(read_published(PUBLISHED), "7")
        table = gain_table([semantic(e) for e in all_strides()], published=published)
        assert [column.key for column in table.columns] == ["stride", "ef", "mIoU"]
        assert len(table.sections) == 1

    def test_without_a_fused_run(self) -> None:
        table = gain_table(ALONE)
        assert table.sections == ()
        assert table.notes[0].startswith("No evaluated run injects an auxiliary")
        assert to_latex(table)

    def test_published_correlation_is_computed(self) -> None:
        published = published_table(read_published(PUBLISHED), "7")
        rows = lines(gain_table(all_strides(), published=published))[-7:]
        assert [row["stride"].text for row in rows[:5]] == ["4", "8", "16", "32", "EF suggests OS 16"]
        assert (rows[2]["ef"].text, rows[2]["AP"].text) == ("17.89", "11.10")
        assert [row["AP"].text for row in rows[4:]] == ["hit, +3.40", "0.80", "0.33"]

    def test_an_auxiliary_without_profile_is_refused(self) -> None:
        with pytest.raises(ReportingError, match="'mini_sam' has no EF at OS 4"):
            gain_table(all_strides(), profiles={"mini_dino": PROFILES["mini_dino"]})


class TestImageScores:
    def test_estimate_averages_images_then_strides(self) -> None:
        values = np.array([[1.0, 10.0], [3.0, np.nan], [np.nan, 20.0]])
        found = estimate(values, BOOTSTRAP)
        assert (found.mean, found.n) == ((2.0 + 15.0) / 2, 2)
        assert found.low < found.mean < found.high

    def test_one_image_has_no_interval_and_none_no_mean(self) -> None:
        one = estimate(np.array([[0.4, 0.6], [np.nan, 0.8]]), BOOTSTRAP)
        assert (one.mean, one.n) == (pytest.approx((0.4 + 0.7) / 2), 1)
        assert math.isnan(one.low)
        for none in (np.full((3, 2), np.nan), np.array([[1.0, np.nan]]), np.empty((0, 1)), np.empty((3, 0))):
            found = estimate(none, BOOTSTRAP)
            assert found.n == 0
            assert math.isnan(found.mean)

    def test_interval_covers_a_known_standard_error(self) -> None:
        values = np.random.default_rng(0).normal(5.0, 1.0, size=(400, 1))
        found = estimate(values, Bootstrap(2000, 0))
        error = 1.96 * values.std(ddof=1) / 20
        assert found.low == pytest.approx(values.mean() - error, abs=0.02)
        assert found.high == pytest.approx(values.mean() + error, abs=0.02)

    def test_images_keep_their_rows(self) -> None:
        frame = image_scores({8: 1.0, 4: math.nan}, {}).sample(frac=1, random_state=0)
        arranged = by_image(frame, [4, 8])
        assert arranged.shape == (IMAGES, 2)
        assert np.isnan(arranged[:, 0]).all()
        expected = frame[frame["stride"] == 8].sort_values("image_id")["value"].to_numpy()
        assert np.array_equal(arranged[:, 1], expected)

    def test_files_are_checked(self, tmp_path: Path) -> None:
        path = tmp_path / "x.parquet"
        TRUTH["swin"].to_parquet(path)
        assert len(read_image_scores(path, ["labels"])) == len(TRUTH["swin"])
        with pytest.raises(ReportingError, match=r"x\.parquet: columns \['definition'\] are missing"):
            read_image_scores(path, ["definition"])
        pd.concat([TRUTH["swin"], TRUTH["swin"].iloc[:1]]).to_parquet(path)
        with pytest.raises(ReportingError, match="occurs twice"):
            read_image_scores(path, ["labels"])
