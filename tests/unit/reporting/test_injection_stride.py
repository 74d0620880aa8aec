"""Settings by injection strides: hits and misses, chance, regret, ties, and what cannot be judged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import stride_results as sweeps
from scipy.stats import binomtest, t

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import p_in_words
from vfm_fusion.reporting.published import read_published
from vfm_fusion.reporting.render.html import to_html
from vfm_fusion.reporting.render.latex import to_latex
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.significance import difference
from vfm_fusion.reporting.stride_suggestion import hit_rate, judge
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.injection_stride import (
    injection_stride_table,
    published_rate,
    published_settings,
)

PUBLISHED = Path(__file__).parents[3] / "resources" / "published" / "metric_guided_fusion.csv"
EF = {4: 1.0, 8: 2.0, 16: 5.0, 32: 3.0}
HIT = {4: 30.0, 8: 31.0, 16: 33.0, 32: 29.0}
MISS = {4: 30.0, 8: 31.0, 16: 33.0, 32: 32.5}  # EF of the auxiliary of C and D suggests OS 32


def table(
    evaluations: list[dict[str, Any]],
    seeds: list[int],
    published: pd.DataFrame | None = None,
    **changes: Any,
) -> Table:
    return injection_stride_table(sweeps.collected(evaluations, seeds, **changes), published)


def lines(found: Table, section: int = 0) -> list[dict[str, Cell]]:
    keys = [column.key for column in found.columns]
    return [dict(zip(keys, row, strict=True)) for row in lay_out(found).sections[section][1]]


def five_seeds() -> list[dict[str, Any]]:
    return [*sweeps.sweep("a", sweeps.around(HIT, 5)), *sweeps.sweep("c", sweeps.around(MISS, 5))]


def test_rows_are_settings_and_columns_strides() -> None:
    found = table(five_seeds(), list(range(5)))
    a, c = lines(found)
    assert [cell.text for cell in a.values()] == [
        *("A", "DINO mini FT", "SAM mini FZ", "replace"),
        *("30.00", "31.00", "33.00", "29.00", "2.00", "hit"),
    ]
    assert [cell.text for cell in c.values()] == [
        *("C", "SAM mini FT", "DINO mini FZ", "replace"),
        *("30.00", "31.00", "33.00", "32.50", "−0.50", "miss"),
    ]
    for row, suggested in ((a, "os16"), (c, "os32")):
        assert [key for key, cell in row.items() if cell.underline] == [suggested]
        assert [key for key, cell in row.items() if cell.bold] == ["os16"]
    assert a["os16"].detail == "± 0.16"
    assert [title for title, _ in lay_out(found).sections] == ["AP", "mIoU"]


def test_hits_chance_and_regret_in_a_sentence() -> None:
    found = table(five_seeds(), list(range(5)))
    assert found.notes[1] == (
        "By AP the suggested stride is the best in 1 of 2 settings (50 %; at random 25 %, p = 0.44), and "
        "seed by seed in 5 of 10 cases (50 %; at random 25 %, p = 0.078). On average 0.25 points are lost to "
        "the best stride; a stride drawn at random would lose 1.81."
    )
    data = found.data[found.data["metric"] == "AP"].set_index("statistic")["value"]
    assert data["p_of_settings"] == pytest.approx(binomtest(1, 2, 0.25, alternative="greater").pvalue)
    assert data["p_of_settings_and_seeds"] == pytest.approx(
        binomtest(5, 10, 0.25, alternative="greater").pvalue
    )
    assert (data["hits_of_settings_and_seeds"], data["trials_of_settings_and_seeds"]) == (5, 10)
    assert data["regret_of_settings"] == pytest.approx(0.25)


def test_equally_good_strides_are_hits_that_chance_has_too() -> None:
    """mIoU is 50 at every stride: each is a best one, so a hit says nothing."""
    found = table(five_seeds(), list(range(5)))
    row = lines(found, 1)[0]
    assert (row["margin"].text, row["hit"].text) == ("0.00", "hit")
    assert found.notes[2].startswith(
        "By mIoU the suggested stride is the best in 2 of 2 settings (100 %; at random 100 %, p = 1)"
    )
    two = judge(EF, {4: 1.0, 8: 7.0, 16: 7.0, 32: 2.0})
    assert (two.hit, two.chance, two.second, two.regret) == (True, 0.5, 8, 0.0)


def test_one_seed_has_no_spread_and_no_second_count() -> None:
    found = table(sweeps.sweep("a", {stride: [value] for stride, value in HIT.items()}), [0])
    (row,) = lines(found)
    assert (row["os16"].text, row["os16"].detail) == ("33.00", "")
    assert (row["margin"].text, row["margin"].detail) == ("2.00", "")
    assert "seed by seed in" not in found.notes[1]
    assert found.notes[-1].startswith("One seed (0): no spread is known.")


def test_the_margins_spread_is_of_the_difference_within_seeds() -> None:
    values = {8: [10.0, 20.0, 30.0], 16: [12.0, 22.0, 33.0]}
    (row,) = lines(table(sweeps.sweep("a", values), [0, 1, 2]))
    assert (row["margin"].text, row["margin"].detail) == ("2.33", "± 0.58")
    assert (row["os4"].text, row["os32"].text) == ("—", "—")


def test_what_is_undefined_or_not_there_is_not_judged() -> None:
    undefined = sweeps.sweep("a", {8: [10.0], 16: [12.0]})
    undefined[0]["metrics"]["AP"] = None
    found = table(undefined, [0])
    (row,) = lines(found)
    assert (row["margin"].text, row["hit"].text) == ("—", "value undefined")
    assert "no ground truth" in lay_out(found).footnotes.values()
    assert not any(note.startswith("By AP") for note in found.notes)

    elsewhere = table(sweeps.sweep("a", {4: [10.0], 8: [12.0]}), [0])
    (row,) = lines(elsewhere)
    assert (row["hit"].text, row["os16"].underline) == ("OS 16 not trained", True)

    missing = table(sweeps.sweep("a", {8: [10.0, 11.0], 16: [12.0, 13.0]})[1:], [0, 1])
    (row,) = lines(missing)
    assert (row["os8"].text, row["os16"].text, row["hit"].text) == ("—", "12.50", "value undefined")
    assert len(missing.problems) == 1

    for rendered in (to_html(found), to_latex(elsewhere), to_markdown(missing)):
        assert "not trained" in rendered or "value undefined" in rendered


def test_one_stride_is_no_setting() -> None:
    found = table(sweeps.sweep("a", {16: [12.0]}), [0])
    assert found.sections == ()
    assert found.notes[0] == (
        "No auxiliary was injected at 2 or more single strides, so there is no setting."
    )
    assert to_latex(found)
    assert to_markdown(found)


def test_the_selected_run_that_repeats_one_of_the_sweep_counts_once() -> None:
    fused = [e | {"run": "fused"} for e in sweeps.sweep("a", {16: [33.0, 33.1]})]
    swept = sweeps.sweep("a", sweeps.around(HIT, 2))
    found = table([*fused, *swept], [0, 1])
    (row,) = lines(found)
    assert row["os16"].text == "33.05"
    assert found.data[found.data["stride"] == "16"]["run"].unique().tolist() == ["fused", ""]
    assert "'Run a-os16' is the same training as 'Run fused'; the first of the configuration is shown." in (
        found.notes
    )


def test_other_pairs_and_operators_are_settings_without_a_letter() -> None:
    other = [
        e | {"operator": "gated", "run": f"g{e['run']}"} for e in sweeps.sweep("a", {4: [1.0], 16: [2.0]})
    ]
    swin = {"encoder": "swin", "trainable": True, "pretraining": "x"}
    third = [e | {"master": swin, "run": f"s{e['run']}"} for e in sweeps.sweep("a", {4: [1.0], 16: [2.0]})]
    own = sweeps.sweep("a", {4: [3.0], 16: [2.0]})
    evaluations = [*third, *other, *own]
    fusions = {e["run"]: e["operator"] for e in evaluations}
    found = table(evaluations, [0], fusions=fusions)
    shown = [[row[key].text for key in ("setting", "master", "operator", "hit")] for row in lines(found)]
    assert shown == [
        ["A", "DINO mini FT", "gated", "hit"],
        ["A", "DINO mini FT", "replace", "miss"],
        ["", "Swin FT", "replace", "hit"],
    ]
    assert found.data["setting"].unique().tolist()[:3] == [
        "A (gated)",
        "A (replace)",
        "Swin FT + SAM mini FZ (replace)",
    ]


def test_upsampled_runs_are_a_setting_beside_the_others() -> None:
    plain = sweeps.sweep("d", {4: [1.0], 8: [2.0]})
    upsampled = [
        e | {"run": f"up-{e['run']}", "auxiliary": e["auxiliary"] | {"upsampler": "lift"}}
        for e in sweeps.sweep("d", {4: [4.0], 8: [3.0]})
    ]
    evaluations = [*plain, *upsampled]
    fusions = {e["run"]: "replace" for e in plain} | {e["run"]: "replace, lift" for e in upsampled}
    found = table(evaluations, [0], fusions=fusions)
    shown = [[row[key].text for key in ("setting", "auxiliary", "os4", "os8")] for row in lines(found)]
    assert shown == [
        ["D", "DINO mini FZ", "1.00", "2.00"],
        ["D", "DINO mini FZ upsampled by lift", "4.00", "3.00"],
    ]
    note = "EF is of maps as they are profiled"
    assert sum(note in text for text in found.notes) == 1
    assert not any(note in text for text in table(plain, [0]).notes)


def test_a_master_that_is_upsampled_gains_over_itself_alone() -> None:
    fused = sweeps.sweep("b", {4: [3.0], 8: [4.0]})
    upsampled = [
        e | {"run": f"up-{e['run']}", "master": e["master"] | {"upsampler": "lift"}}
        for e in [*fused, *sweeps.alone("alone", sweeps.DINO, False, [2.5])]
    ]
    evaluations = [*fused, *sweeps.alone("alone", sweeps.DINO, False, [1.0]), *upsampled]
    for known, gain in ((evaluations, 0.5), (evaluations[:-1], math.nan)):
        groups = sweeps.collected(known, [0]).groups
        assert groups[0].gain((4,), "AP").mean == 2.0
        assert groups[1].gain((4,), "AP").mean == pytest.approx(gain, nan_ok=True)


def test_for_edges_the_chosen_pair_is_the_reverse() -> None:
    """With task ``edge`` the master leads EF; A stays the setting that injects edges into structure."""
    edge = sweeps.SELECTION | {"task": "edge", "master": sweeps.SAM, "auxiliary": sweeps.DINO}
    (row,) = lines(table(sweeps.sweep("a", {4: [1.0], 16: [2.0]}), [0], selection=edge))
    assert row["setting"].text == "A"


def test_published_values_are_judged_by_the_published_profiles() -> None:
    frame = read_published(PUBLISHED)
    found = table(five_seeds(), list(range(5)), published=frame)
    rows = lines(found, -1)
    assert [row["setting"].text for row in rows] == ["A", "B", "C", "D"]
    assert [row["hit"].text for row in rows] == ["hit", "hit", "miss", "hit"]
    assert [row["margin"].text for row in rows] == ["2.10", "3.40", "−1.90", "1.40"]
    assert [key for key, cell in rows[2].items() if cell.underline] == ["os32"]
    assert rows[2]["os16"].bold
    rate = published_rate(published_settings(frame))
    assert rate.p == pytest.approx(binomtest(3, 4, 0.25, alternative="greater").pvalue)
    assert "3 of 4 settings (75 %; at random 25 %, p = 0.051)" in found.notes[-1]
    assert "On average 0.47 points are lost" in found.notes[-1]
    broken = frame.assign(model=frame["model"].str.replace("auxiliary", "with"))
    with pytest.raises(ReportingError, match="does not read like 'A: master X, auxiliary Y'"):
        published_settings(broken)


def test_unlike_numbers_of_strides_have_unlike_chances() -> None:
    """One hit of two and one of four strides: 1 - (1 - 1/2)(1 - 1/4) to have at least one by chance."""
    rate = hit_rate([judge(EF, {8: 2.0, 16: 1.0}), judge(EF, {4: 1.0, 8: 2.0, 16: 3.0, 32: 0.0})])
    assert (rate.hits, rate.trials, rate.expected) == (1, 2, 0.75)
    assert rate.p == pytest.approx(1 - 0.5 * 0.75)
    nothing = hit_rate([judge(EF, {16: 1.0})])
    assert nothing.trials == 0
    assert math.isnan(nothing.p)
    assert p_in_words(0.0004) == "p < 0.001"


def test_a_difference_stands_out_where_its_t_interval_keeps_off_zero() -> None:
    clear, unclear = difference({0: 1.0, 1: 1.2, 2: 1.1}), difference({0: 1.0, 1: -1.2, 2: 1.1})
    half = t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert (clear.low, clear.high) == (pytest.approx(1.1 - half), pytest.approx(1.1 + half))
    assert (clear.sign, unclear.sign, difference({0: 3.0}).sign) == (1, 0, None)
    assert difference({0: -1.0, 1: -1.1}).sign == -1
    assert difference({0: 1.0, 1: math.nan}).n == 0
    assert difference({}).n == 0


def with_another_definition(ef_of_sam: dict[int, float]) -> pd.DataFrame:
    """Profiles by `paper`, and by `calibrated` with another EF of the auxiliary of A."""
    other = sweeps.profiles(ef={**sweeps.EF, sweeps.SAM: ef_of_sam}).assign(definition="calibrated")
    return pd.concat([sweeps.profiles(), other], ignore_index=True)


def test_another_definition_is_told_beside_the_one_that_chose() -> None:
    profiles = with_another_definition({4: 9.0, 8: 2.0, 16: 1.0, 32: 1.0})
    found = table(five_seeds(), list(range(5)), profiles=profiles)
    (note,) = [note for note in found.notes if "calibrated" in note]
    assert note.startswith(
        "EF by definition 'calibrated' would suggest OS 4 for SAM mini and OS 32 for DINO mini. By AP the "
        "suggested stride is the best in 0 of 2 settings (0 %; at random 25 %, p = 1), and seed by seed in "
    )
    assert lines(found) == lines(table(five_seeds(), list(range(5))))
