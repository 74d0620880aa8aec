"""What a finished call says: the choice, the answers, where to read on, and never an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import reporting_results as results
from question_results import everyone, evidence

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.outcome import answer_lines, outcome, selection_lines
from vfm_fusion.reporting.questions_text import answers, questions_markdown, read_headlines


def test_the_choice_its_warnings_and_where_to_read_on(tmp_path: Path) -> None:
    path, page = results.write_selection(tmp_path), tmp_path / "selection.md"
    summaries = results.write_profiles(tmp_path)
    lines = selection_lines(path, summaries, page)
    assert lines == [
        "Selected on miniscapes (selection.task: semantic; definition 'paper'): master mini_dino, "
        "auxiliary mini_sam, injected at OS 16 (peak EF)",
        "  The other way round: mini_dino into mini_sam at OS 32",
        f"  Warning: {results.WARNING}",
        f"  Why: {path}",
    ]
    page.write_text("")
    assert selection_lines(path, summaries, page)[-1] == f"  Why: {page}"
    os.utime(page, (0, 0))  # of an earlier choice
    assert selection_lines(path, summaries, page)[-1] == f"  Why: {path}"


def test_the_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = answers(evidence(everyone(3)))
    page = tmp_path / "questions.md"
    page.write_text(questions_markdown(found, ["A note."]), encoding="utf-8")
    assert read_headlines(page) == [(answer.key, answer.headline) for answer in found]
    assert answer_lines(page)[1] == f"  RQ1 {found[0].headline}"
    page.write_text("something else", encoding="utf-8")
    with pytest.raises(ReportingError, match=r"questions\.md: holds no answer; make it again"):
        answer_lines(page)


def test_what_cannot_be_told_is_a_named_warning_beside_the_rest(tmp_path: Path) -> None:
    (tmp_path / "selection.json").write_text("{}")
    said = outcome(
        {
            "the selection": lambda: selection_lines(tmp_path / "selection.json", {}, tmp_path / "none.md"),
            "the answers": lambda: answer_lines(tmp_path / "questions.md"),
            "the report": lambda: ["Report: report.html"],
        }
    ).splitlines()
    assert said[0].startswith("OutcomeWarning: the selection cannot be summed up (ReportingError: ")
    assert "selection.json: keys [" in said[0]
    assert said[1].startswith("OutcomeWarning: the answers cannot be summed up (FileNotFoundError: ")
    assert said[2:] == ["Report: report.html"]
    assert outcome({}) == ""
