"""The table of controls: verdicts, sentences computed from them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import controls_results as results
import pandas as pd
import pytest

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import strides_in_words
from vfm_fusion.reporting.control_results import (
    Controls,
    best_sentence,
    controls_of,
    definition_sentence,
    read_controls,
    right_strides,
    verdict,
)
from vfm_fusion.reporting.render.html import to_html
from vfm_fusion.reporting.render.latex import to_latex
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.render.table_files import to_csv
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.controls import controls_table


@pytest.fixture
def controls(tmp_path: Path) -> Controls:
    return read_controls(results.write_controls(tmp_path))


@pytest.fixture
def table(controls: Controls) -> Table:
    return controls_table(controls, "miniscapes")


def changed(definition: str, score: str, stride: int, control: str, value: float) -> Controls:
    """The same scores but for one control, which has another value on every image."""
    scores = results.scores()
    key = {"definition": definition, "score": score, "stride": stride, "control": control}
    rows = (scores[list(key)] == pd.Series(key)).all(axis=1)
    scores.loc[rows, ["value", "reason"]] = (value, None)
    return controls_of(scores)


def cells(table: Table) -> dict[tuple[str, int], dict[str, Cell]]:
    """Shown cells by heading and row."""
    keys = [column.key for column in table.columns]
    return {
        (title, index): dict(zip(keys, row, strict=True))
        for title, rows in lay_out(table).sections
        for index, row in enumerate(rows)
    }


def test_each_definition_has_a_section_per_score_with_a_row_per_stride(table: Table) -> None:
    assert [section.title for section in table.sections] == [
        "EF by the definition 'good'",
        "EF by the definition 'noisy'",
        "SC by the definition 'good'",
        "SC by the definition 'noisy'",
    ]
    assert all([row["stride"] for row in section.rows] == [4, 8] for section in table.sections)


def test_a_row_holds_the_means_and_the_verdict(table: Table) -> None:
    good = cells(table)["EF by the definition 'good'", 0]
    assert (good["edges"].text, good["edges"].bold) == ("9.04", True)
    assert (good["verdict"].text, good["agreeing"].text) == ("right", "6, 6, 6, 6")
    noisy = cells(table)["EF by the definition 'noisy'", 1]
    assert noisy["verdict"].text == (
        "smooth above blurred; noise above shuffled and edges; not told apart: edges and blurred"
    )
    assert (noisy["noise"].bold, noisy["agreeing"].text) == (True, "0, 0, 0, 0")


def test_undefined_values_say_why(table: Table) -> None:
    layout = lay_out(table)
    assert list(layout.footnotes.values()) == ["constant features", "grid too fine"]
    unknown = cells(table)["SC by the definition 'noisy'", 1]
    assert (unknown["edges"].text, unknown["constant"].text) == ("—", "—")
    assert (unknown["verdict"].text, unknown["agreeing"].text) == ("unknown: grid too fine", "—, —")


def test_the_sentences_follow_the_numbers(controls: Controls) -> None:
    assert definition_sentence(controls, "noisy") == (
        "'noisy' ranks white noise above image edges at every stride (EF 14.1 against 6.3 at OS 4); "
        "its EF order is right at no stride, its SC order is right at OS 4, unknown at OS 8."
    )
    assert definition_sentence(controls, "good") == (
        "'good' ranks white noise above image edges at no stride; "
        "its EF order is right at every stride, its SC order is right at every stride."
    )
    assert best_sentence(controls) == "Right at every stride: EF by 'good'; SC by 'good'."


def test_other_numbers_give_other_sentences() -> None:
    worse = changed("good", "ef", 8, "noise", 8.5)
    assert definition_sentence(worse, "good") == (
        "'good' ranks white noise above image edges at OS 8 (EF 8.5 against 8.0 at OS 8); "
        "its EF order is right at OS 4, its SC order is right at every stride."
    )
    assert best_sentence(worse) == "Right at every stride: EF of no definition; SC by 'good'."
    assert verdict(worse.checks_of("good", "ef", 8)) == "noise above shuffled and edges"


def test_a_constant_map_with_a_score_is_named() -> None:
    wrong = changed("good", "sc", 4, "constant", 0.5)
    assert verdict(wrong.checks_of("good", "sc", 4)) == "constant has a value"


def test_images_without_both_values_are_counted() -> None:
    scores = results.scores()
    rows = (scores["control"] == "noise") & (scores["image_id"] == "street_1") & (scores["score"] == "ef")
    scores.loc[rows & (scores["definition"] == "good"), ["value", "reason"]] = (float("nan"), "no_spectrum")
    table = controls_table(controls_of(scores), "miniscapes")
    good = cells(table)["EF by the definition 'good'", 0]
    assert (good["agreeing"].text, good["verdict"].text) == ("6, 6, 5 of 5, 5 of 5", "fewer than 6 images")
    assert good["noise"].text == "0.50"


def test_what_is_within_chance_is_neither_right_nor_wrong() -> None:
    scores = results.scores()
    rows = (scores[["definition", "score", "stride", "control"]] == ("good", "ef", 4, "edges")).all(axis=1)
    for above in ([7.0, 7.0, 7.0, 7.0, 7.0, 4.9], [3.0, 3.0, 3.0, 3.0, 3.0, 5.1]):
        scores.loc[rows, "value"] = above
        told = controls_of(scores)
        assert verdict(told.checks_of("good", "ef", 4)) == (
            "right" if above[0] > 5 else "blurred above edges"
        )
        scores.loc[rows, "value"] = [*above[:3], *(10.0 - value for value in above[:3])]
        level = controls_of(scores)
        assert verdict(level.checks_of("good", "ef", 4)) == "not told apart: edges and blurred"
        assert right_strides(level, "good", "ef") == ([8], [4])


def test_few_images_make_no_order_right_or_wrong() -> None:
    scores = results.scores()
    few = controls_of(scores[scores["image_id"] != "street_6"])
    assert verdict(few.checks_of("good", "ef", 4)) == verdict(few.checks_of("noisy", "ef", 4))
    assert verdict(few.checks_of("good", "ef", 4)) == "fewer than 6 images"
    assert best_sentence(few) == "Right at every stride: EF of no definition; SC of no definition."


def test_strides_are_listed_in_words() -> None:
    assert strides_in_words([4, 8, 16], [4, 8, 16, 32]) == "OS 4, 8 and 16"
    assert strides_in_words([32], [4, 8, 16, 32]) == "OS 32"
    assert strides_in_words([4, 8], [4, 8]) == "every stride"
    assert strides_in_words([], [4, 8]) == "no stride"


def test_every_format_shows_it_and_the_csv_holds_means_and_differences(table: Table) -> None:
    assert "reference" not in to_markdown(table)
    for text in (to_markdown(table), to_html(table), to_latex(table)):
        assert "noise above edges" in text
        assert "2 standard errors" in text
    csv = to_csv(table)
    assert "good,ef,4,mean,edges" in csv
    assert "good,ef,4,difference,edges,above,noise" in csv
    assert len(csv.splitlines()) == 1 + 4 * (len(results.CONTROLS) * 2 + 5 + 3)


def test_incomplete_scores_are_refused(tmp_path: Path) -> None:
    scores = results.scores()
    with pytest.raises(ReportingError, match="missing; score the controls again"):
        controls_of(scores[~((scores["control"] == "noise") & (scores["image_id"] == "street_2"))])
    with pytest.raises(ReportingError, match="missing; score the controls again"):
        controls_of(scores[scores["score"] != "sc"])
    with pytest.raises(ReportingError, match="missing; score the controls again"):
        controls_of(scores.iloc[:0])
    path = tmp_path / "controls.parquet"
    scores.drop(columns="control").to_parquet(path)
    with pytest.raises(ReportingError, match=r"columns \['control'\] are missing"):
        read_controls(path)
