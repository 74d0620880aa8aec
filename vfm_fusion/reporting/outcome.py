"""What a finished call of the workflow says of its outcome on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from vfm_fusion.reporting.labels import stride_reason
from vfm_fusion.reporting.questions_text import read_headlines
from vfm_fusion.reporting.result_files import read_selection
from vfm_fusion.selection.other_definitions import other_choices


def outcome(parts: Mapping[str, Callable[[], list[str]]]) -> str:
    """Joins the parts of an outcome; one that cannot be told is a warning, for the run itself has succeeded.

    Args:
        parts: what a part is of -> a function that returns its lines.
    """
    lines: list[str] = []
    for what, told in parts.items():
        try:
            lines += told()
        except Exception as error:  # whatever is wrong with a file, the results are there
            lines.append(f"OutcomeWarning: {what} cannot be summed up ({type(error).__name__}: {error})")
    return "\n".join(lines)


def selection_lines(path: Path, summaries: Mapping[str, Path], page: Path) -> list[str]:
    """Says which pair and stride were chosen, what to beware of, and where to read more.

    Args:
        path: ``selection.json``.
        summaries: encoder -> its profile summary.
        page: where the choice is explained in words; ``path`` is named where there is no page of this choice.

    Raises:
        ReportingError: ``selection.json`` is not one.
        OSError: a file cannot be read.
    """
    selection = read_selection(path)
    reverse = selection["reverse"]
    explained = page.exists() and page.stat().st_mtime >= path.stat().st_mtime
    tables = {encoder: pd.read_parquet(file) for encoder, file in summaries.items()}
    return [
        f"Selected on {selection['dataset']} (selection.task: {selection['task']}; definition "
        f"'{selection['definition']}'): master {selection['master']}, auxiliary {selection['auxiliary']}, "
        f"injected at OS {selection['stride']} ({stride_reason(selection)})",
        f"  The other way round: {reverse['auxiliary']} into {reverse['master']} at OS {reverse['stride']}",
        *(f"  Warning: {warning}" for warning in selection["warnings"]),
        *(f"  {sentence}" for sentence in other_choices(selection, tables)),
        f"  Why: {page if explained else path}",
    ]


def answer_lines(page: Path) -> list[str]:
    """Says how the research questions were answered.

    Args:
        page: ``questions.md``.

    Raises:
        ReportingError: it holds no answer.
        OSError: it cannot be read.
    """
    return [
        f"Answers to the paper's questions ({page}):",
        *(f"  {key} {s}" for key, s in read_headlines(page)),
    ]
