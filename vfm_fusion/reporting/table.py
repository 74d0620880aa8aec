"""What a table is: a tidy frame for machines, formatted columns and notes for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from vfm_fusion.errors import ReportingError


@dataclass(frozen=True)
class Column:
    """How one column of a section's frame is shown.

    A cell of a numeric column is its value rounded to ``digits``. A missing value (NaN, None) prints an em
    dash with a footnote that holds its reason; text is shown as it is (empty: not applicable). Columns named
    by ``spread``, ``interval``, ``detail``, ``below``, ``reason`` and ``underline`` belong to the same frame.

    Attributes:
        key: column of the frame.
        title: heading.
        group: heading that spans neighbouring columns with the same group.
        digits: decimals of a number; None for text.
        best: which value of the column (or row, see ``Table.best_in``) is bold; None for none.
        spread: column with the standard deviation, shown as a plus/minus detail; NaN shows nothing.
        interval: columns with the lower and upper end of an interval, shown as a detail; NaN shows nothing.
        detail: column with text that is shown below the cell's own text.
        below: column with text that is shown below a number and its interval; empty shows nothing.
        reason: column that says why a value is missing.
        underline: boolean column; true underlines the cell.
    """

    key: str
    title: str
    group: str = ""
    digits: int | None = None
    best: Literal["max", "min"] | None = None
    spread: str = ""
    interval: tuple[str, str] | None = None
    detail: str = ""
    below: str = ""
    reason: str = ""
    underline: str = ""


@dataclass(frozen=True)
class Section:
    """Rows under one heading.

    Attributes:
        title: heading; empty for none.
        rows: one line of the table per row, columns as ``Column.key`` and its companions name them.
        ranked: whether the rows compete for the bold best value.
        absent: why values without a reason of their own are missing, for sections where that is normal; said
            once by a note of the table instead of footnotes.
    """

    title: str
    rows: pd.DataFrame
    ranked: bool = True
    absent: str = ""


@dataclass(frozen=True)
class Table:
    """A table, ready for every writer.

    Attributes:
        name: file stem and LaTeX label.
        caption: one or two sentences: what, on which data, units, interval.
        data: tidy frame (one observation per row) that becomes the CSV file.
        columns: shown columns, left to right.
        sections: shown rows, top to bottom.
        notes: lines below the table.
        problems: what is missing (runs, seeds); empty when the table is complete.
        best_in: whether the best value is sought down each ``column``, down the column's part in each
            ``section``, or along each ``row``.
    """

    name: str
    caption: str
    data: pd.DataFrame
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    best_in: Literal["column", "section", "row"] = "column"


@dataclass(frozen=True)
class Cell:
    """One shown cell, not yet escaped.

    Attributes:
        text: the value.
        detail: interval, standard deviation or second line; empty for none.
        below: line below the detail; empty for none.
        numeric: whether the value is a number (or stands for one).
        bold: best value.
        underline: marked value.
        mark: footnote letter; empty for none.
    """

    text: str
    detail: str = ""
    below: str = ""
    numeric: bool = False
    bold: bool = False
    underline: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Layout:
    """A table as text: what the writers put down.

    Attributes:
        sections: (heading, rows of cells) pairs.
        footnotes: letter to reason, in order of appearance.
    """

    sections: tuple[tuple[str, tuple[tuple[Cell, ...], ...]], ...]
    footnotes: Mapping[str, str]


MISSING = "—"


def lay_out(table: Table) -> Layout:
    """Formats every cell of ``table``.

    Raises:
        ReportingError: a value is missing and no reason is given, or a column is absent from a section.
    """
    best = _best_cells(table)
    marks: dict[str, str] = {}
    sections = []
    for index, section in enumerate(table.sections):
        rows = []
        for line, (_, row) in enumerate(section.rows.iterrows()):
            cells = [
                _cell(table.name, section, column, row, marks, (index, line, column.key) in best)
                for column in table.columns
            ]
            rows.append(tuple(cells))
        sections.append((section.title, tuple(rows)))
    return Layout(tuple(sections), {mark: reason for reason, mark in marks.items()})


def number(value: float, digits: int) -> str:
    """Rounds ``value`` for print, with a true minus sign and no negative zero.

    >>> number(-0.04, 1), number(-1.25, 2)
    ('0.0', '−1.25')
    """
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def header_groups(columns: tuple[Column, ...]) -> list[tuple[str, int]]:
    """Returns runs of neighbouring columns with one group: ``(group, number of columns)``."""
    runs: list[tuple[str, int]] = []
    for column in columns:
        if runs and column.group and runs[-1][0] == column.group:
            runs[-1] = (column.group, runs[-1][1] + 1)
        else:
            runs.append((column.group, 1))
    return runs


def footnote_mark(index: int) -> str:
    """Returns the footnote letter(s) of a zero-based index: a ... z, aa, ab ...

    >>> footnote_mark(0), footnote_mark(25), footnote_mark(26)
    ('a', 'z', 'aa')
    """
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def _cell(
    table: str, section: Section, column: Column, row: pd.Series[Any], marks: dict[str, str], best: bool
) -> Cell:
    if column.key not in row:
        raise ReportingError(f"table {table}: column {column.key!r} is absent; found {list(row.index)}")
    value = row[column.key]
    numeric = column.digits is not None
    underline = bool(column.underline and row[column.underline])
    if pd.isna(value):
        reason = row[column.reason] if column.reason else None
        if not reason and section.absent:
            return Cell(MISSING, numeric=numeric)
        if not isinstance(reason, str) or not reason:
            raise ReportingError(
                f"table {table}: {column.key!r} is undefined in row {dict(row)!r} "
                "and no reason is given; every missing value needs one"
            )
        mark = marks.setdefault(reason, footnote_mark(len(marks)))
        return Cell(MISSING, numeric=numeric, underline=underline, mark=mark)
    if column.digits is None or isinstance(value, str):
        detail = str(row[column.detail]) if column.detail else ""
        return Cell(str(value), detail=detail, underline=underline)
    text = number(value, column.digits)
    below = str(row[column.below]) if column.below else ""
    return Cell(text, _number_detail(column, row), below, numeric=True, bold=best, underline=underline)


def _number_detail(column: Column, row: pd.Series[Any]) -> str:
    assert column.digits is not None
    if column.interval:
        low, high = (row[key] for key in column.interval)
        if pd.isna(low) and pd.isna(high):
            return ""
        return f"[{number(low, column.digits)}, {number(high, column.digits)}]"
    if column.spread and not pd.isna(row[column.spread]):
        return f"± {number(row[column.spread], column.digits)}"
    return ""


def _is_number(value: object) -> bool:
    return value != "" and not pd.isna(value)


def _best_cells(table: Table) -> set[tuple[int, int, str]]:
    """Finds the bold cells ``(section, row, column key)``; values that print alike tie."""
    competitors: dict[object, list[tuple[float, tuple[int, int, str]]]] = {}
    for index, section in enumerate(table.sections):
        if not section.ranked:
            continue
        for line, (_, row) in enumerate(section.rows.iterrows()):
            for column in table.columns:
                if column.best is None or column.digits is None or not _is_number(row[column.key]):
                    continue
                value = round(float(row[column.key]), column.digits)
                score = value if column.best == "max" else -value
                contests = {"column": column.key, "section": (index, column.key), "row": (index, line)}
                competitors.setdefault(contests[table.best_in], []).append((score, (index, line, column.key)))
    best: set[tuple[int, int, str]] = set()
    for entries in competitors.values():
        top = max(score for score, _ in entries)
        if len(entries) > 1:
            best |= {cell for score, cell in entries if score == top}
    return best
