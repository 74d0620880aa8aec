"""Markdown (GitHub's pipe tables) rendering of a table."""

from __future__ import annotations

import re

from vfm_fusion.reporting.table import Cell, Table, lay_out


def escape(text: str) -> str:
    r"""Escapes what Markdown would read as markup.

    >>> escape("mini_dino|a*b")
    'mini\\_dino\\|a\\*b'
    """
    return re.sub(r"([\\`*_|<>])", r"\\\1", text)


def to_markdown(table: Table) -> str:
    """Renders caption, table, notes and footnotes; grouped headings become ``group title``."""
    layout = lay_out(table)
    titles = [escape(f"{column.group} {column.title}".strip()) for column in table.columns]
    rules = [":--" if column.digits is None else "--:" for column in table.columns]
    lines = [escape(table.caption), "", _line(titles), _line(rules)]
    for title, rows in layout.sections:
        if title:
            lines.append(_line([f"*{escape(title)}*", *[""] * (len(titles) - 1)]))
        lines += [_line([_value(cell) for cell in cells]) for cells in rows]
    notes = [escape(note) for note in table.notes]
    notes += [f"<sup>{mark}</sup> {escape(reason)}." for mark, reason in layout.footnotes.items()]
    notes += [f"**Incomplete:** {escape(problem)}." for problem in table.problems]
    if notes:
        lines += ["", "  \n".join(notes)]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _value(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.underline:
        text = f"<u>{text}</u>"
    if cell.bold:
        text = f"**{text}**"
    if cell.mark:
        text += f"<sup>{cell.mark}</sup>"
    if cell.detail:
        text += (" " if cell.numeric else "<br>") + escape(cell.detail)
    if cell.below:
        text += "<br>" + escape(cell.below)
    return text
