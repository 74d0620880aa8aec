"""What snakemake says at its end of what was found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from working_copy import Workflow

pytestmark = [pytest.mark.timeout(1200)]
CHOICE = "Selected on miniscapes (selection.task: semantic; definition 'paper'): master mini-"


def said(workflow: Workflow, *arguments: str) -> str:
    done = workflow.snakemake(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_all_says_the_choice_the_answers_and_the_report_even_if_nothing_was_to_be_done(
    finished: Workflow,
) -> None:
    text = said(finished, "all").partition("Nothing to be done")[2]
    assert CHOICE in text
    assert "Why: results/quick/tables/selection.md" in text
    assert all(f"\n  RQ{number} Undecided: " in text for number in (1, 2, 4, 5))
    assert "Report: results/quick/report.html" in text


def test_select_says_the_choice_when_it_is_made(finished: Workflow, tmp_path: Path) -> None:
    choice = finished.results / "selection/miniscapes/selection.json"
    made = [choice, finished.results / "benchmarks/select_pair/miniscapes.jsonl"]
    before = [Path(shutil.copy2(path, tmp_path)) for path in made]
    choice.unlink()
    text = said(finished, "select")
    assert CHOICE in text.partition("steps (100%) done")[2]
    assert "Why: results/quick/selection/miniscapes/selection.json" in text
    assert "RQ1" not in text
    for kept, path in zip(before, made, strict=True):
        shutil.copy2(kept, path)


@pytest.mark.parametrize(("options", "tables"), [(["-q", "rules"], 1), ([], 2)])
def test_a_dry_run_without_its_jobs_shows_their_table_once(
    fresh: Workflow, options: list[str], tables: int
) -> None:
    text = said(fresh, "-n", *options, "all")
    assert text.count("Job stats:") == tables
    assert "Selected on" not in text
