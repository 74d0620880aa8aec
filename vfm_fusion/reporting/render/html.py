"""HTML rendering: a self-contained page per table, for Snakemake's report.

Snakemake's report shows HTML, PDF and images in place but only offers a CSV file for download.
"""

from __future__ import annotations

from html import escape

from vfm_fusion.reporting.table import Cell, Layout, Table, header_groups, lay_out

_STYLE = """\
body { font: 14px/1.45 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid #1b1b1b; border-bottom: 2px solid #1b1b1b; }
caption { text-align: left; padding-bottom: .6rem; max-width: 60rem; }
th, td { padding: .25rem .7rem; text-align: left; vertical-align: top; white-space: nowrap; }
th { font-weight: 600; }
tbody { border-top: 1px solid #1b1b1b; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.g { text-align: center; border-bottom: 1px solid #999; }
tr.section th { font-style: italic; font-weight: 400; }
small { color: #555; display: block; }
.notes { color: #333; font-size: 13px; max-width: 60rem; }
.notes p { margin: .25rem 0; }
.problem { color: #9b1c00; font-weight: 600; }
"""


def page(title: str, body: str) -> str:
    """Wraps an HTML fragment into a standalone page with the report's style."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>\n{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def to_html(table: Table) -> str:
    """Renders ``table`` as a standalone page."""
    return page(table.name, fragment(table))


def fragment(table: Table) -> str:
    """Renders ``table`` as a part of a page."""
    layout = lay_out(table)
    lines = ['<div class="scroll">', "<table>", f"<caption>{escape(table.caption)}</caption>", "<thead>"]
    lines += [*_header(table), "</thead>"]
    for title, rows in layout.sections:
        lines.append("<tbody>")
        if title:
            lines.append(f'<tr class="section"><th colspan="{len(table.columns)}">{escape(title)}</th></tr>')
        lines += ["<tr>" + "".join(_value(cell) for cell in cells) + "</tr>" for cells in rows]
        lines.append("</tbody>")
    lines += ["</table>", "</div>", *_notes(table, layout)]
    return "\n".join(lines) + "\n"


def _header(table: Table) -> list[str]:
    lines = []
    groups = header_groups(table.columns)
    if any(group for group, _ in groups):
        cells = [
            f'<th class="g" colspan="{width}">{escape(group)}</th>' if group else "<th></th>"
            for group, width in groups
        ]
        lines.append("<tr>" + "".join(cells) + "</tr>")
    cells = [
        f"<th{_class(column.digits is not None)}>{escape(column.title)}</th>" for column in table.columns
    ]
    return [*lines, "<tr>" + "".join(cells) + "</tr>"]


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _value(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.underline:
        text = f"<u>{text}</u>"
    if cell.bold:
        text = f"<b>{text}</b>"
    if cell.mark:
        text += f"<sup>{cell.mark}</sup>"
    if cell.detail:
        text += f"<small>{escape(cell.detail)}</small>"
    if cell.below:
        text += f"<small>{escape(cell.below)}</small>"
    return f"<td{_class(cell.numeric)}>{text}</td>"


def _notes(table: Table, layout: Layout) -> list[str]:
    notes = [f"<p>{escape(note)}</p>" for note in table.notes]
    notes += [f"<p><sup>{mark}</sup> {escape(reason)}.</p>" for mark, reason in layout.footnotes.items()]
    notes += [f'<p class="problem">Incomplete: {escape(problem)}.</p>' for problem in table.problems]
    return ['<div class="notes">', *notes, "</div>"] if notes else []
