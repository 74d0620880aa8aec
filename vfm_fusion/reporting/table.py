"""What a table is: a tidy frame for machines, formatted columns and notes for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import MISSING, Value, number


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a table, where that is more than a value.

    Attributes:
        value: a number, or a text (empty: not applicable). A number that is NaN prints an em dash with a
            footnote that holds its reason.
        below: line below the text, or below a number and its spread; empty for none.
        underline: whether it is marked.
    """

    value: Value | float | str
    below: str = ""
    underline: bool = False


Row = Mapping[str, Entry | Value | float | str]
"""One line of a table: column key to what stands there."""


@dataclass(frozen=True)
class Column:
    """How one column is shown.

    Attributes:
        key: its key in every row.
        title: heading.
        group: heading that spans neighbouring columns with the same group.
        digits: decimals of a number; None for text.
        best: which number of the column (or row, see ``Table.best_in``) is bold; None for none.
        shows: what of a value is shown beside its mean, where it is known; empty for nothing.
    """

    key: str
    title: str
    group: str = ""
    digits: int | None = None
    best: Literal["max", "min"] | None = None
    shows: Literal["", "std", "interval"] = ""


@dataclass(frozen=True)
class Section:
    """Rows under one heading.

    Attributes:
        title: heading; empty for none.
        rows: one line of the table each.
        ranked: whether the rows compete for the bold best value.
        fill: what stands where a row has nothing: empty, or an em dash (in columns of numbers) that a note
            of the table explains; None where every row has every column.
    """

    title: str
    rows: Sequence[Row]
    ranked: bool = True
    fill: Literal["", "—"] | None = None


@dataclass(frozen=True)
class Table:
    """A table, ready for every writer.

    Attributes:
        name: file stem and LaTeX label.
        caption: one or two sentences: what, on which data, units, interval.
        data: tidy frame (one observation per row) that becomes the CSV file.
        columns: shown columns, left to right.
        sections: shown rows, top to bottom.
        notes: lines below the table; empty ones are left out.
        problems: what is missing (runs, seeds), empty ones left out; none when the table is complete.
        best_in: whether the best value is sought down each ``column``, down the column's part in each
            ``section``, or along each ``row``.
    """

    name: str
    caption: str
    data: pd.DataFrame
    columns: tuple[Column, ...]
    sections: Sequence[Section]
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    best_in: Literal["column", "section", "row"] = "column"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sections", tuple(self.sections))
        for name in ("notes", "problems"):
            object.__setattr__(self, name, tuple(line for line in getattr(self, name) if line))


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


def lay_out(table: Table) -> Layout:
    """Formats every cell of ``table``.

    Raises:
        ReportingError: a value is missing and no reason is given, or a row lacks a column.
    """
    best = _best_cells(table)
    marks: dict[str, str] = {}
    sections = []
    for index, section in enumerate(table.sections):
        rows = []
        for line, row in enumerate(section.rows):
            cells = [
                _cell(table.name, section, column, row, marks, (index, line, column.key) in best)
                for column in table.columns
            ]
            rows.append(tuple(cells))
        sections.append((section.title, tuple(rows)))
    return Layout(tuple(sections), {mark: reason for reason, mark in marks.items()})


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


def _entry(content: Entry | Value | float | str) -> tuple[Value | str, str, bool]:
    """Returns value, line below and mark of what stands in one place."""
    entry = content if isinstance(content, Entry) else Entry(content)
    value = entry.value
    return value if isinstance(value, Value | str) else Value(value), entry.below, entry.underline


def _cell(table: str, section: Section, column: Column, row: Row, marks: dict[str, str], best: bool) -> Cell:
    numeric = column.digits is not None
    if column.key not in row:
        if section.fill is None:
            raise ReportingError(f"table {table}: column {column.key!r} is absent; found {list(row)}")
        return Cell(section.fill, numeric=True) if numeric and section.fill else Cell("")
    value, below, underline = _entry(row[column.key])
    if isinstance(value, str):
        return Cell(value, detail=below, underline=underline)
    if not math.isnan(value.mean):
        shown = column.digits or 0
        return Cell(number(value.mean, shown), _detail(column, value), below, numeric, best, underline)
    if not value.reason:
        raise ReportingError(
            f"table {table}: {column.key!r} is undefined in row {dict(row)!r} "
            "and no reason is given; every missing value needs one"
        )
    mark = marks.setdefault(value.reason, footnote_mark(len(marks)))
    return Cell(MISSING, numeric=numeric, underline=underline, mark=mark)


def _detail(column: Column, value: Value) -> str:
    digits = column.digits or 0
    if column.shows == "interval" and not math.isnan(value.low):
        return f"[{number(value.low, digits)}, {number(value.high, digits)}]"
    if column.shows == "std" and not math.isnan(value.std):
        return f"± {number(value.std, digits)}"
    return ""


def _best_cells(table: Table) -> set[tuple[int, int, str]]:
    """Finds the bold cells ``(section, row, column key)``; values that print alike tie."""
    competitors: dict[object, list[tuple[float, tuple[int, int, str]]]] = {}
    for index, section in enumerate(table.sections):
        for line, row in enumerate(section.rows if section.ranked else ()):
            for column in table.columns:
                if column.best is None or column.digits is None or column.key not in row:
                    continue
                value, *_ = _entry(row[column.key])
                if isinstance(value, str) or math.isnan(value.mean):
                    continue
                rounded = round(float(value.mean), column.digits)
                score = rounded if column.best == "max" else -rounded
                contests = {"column": column.key, "section": (index, column.key), "row": (index, line)}
                competitors.setdefault(contests[table.best_in], []).append((score, (index, line, column.key)))
    best: set[tuple[int, int, str]] = set()
    for entries in competitors.values():
        top = max(score for score, _ in entries)
        if len(entries) > 1:
            best |= {cell for score, cell in entries if score == top}
    return best
