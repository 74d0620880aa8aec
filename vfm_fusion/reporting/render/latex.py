"""LaTeX (booktabs) rendering of a table."""

from __future__ import annotations

from vfm_fusion.reporting.table import Cell, Layout, Table, header_groups, lay_out

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # a bare bracket after a line end would be read as the line's extra space
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "→": r"$\to$",
    "—": "---",
    "–": "--",
    "·": r"$\cdot$",
    "†": r"$\dagger$",
}


def escape(text: str) -> str:
    """Escapes LaTeX's special characters; letters of any script stay as they are (UTF-8).

    >>> escape("mini_dino 95 % ± 1")
    'mini\\\\_dino 95 \\\\% $\\\\pm$ 1'
    """
    return "".join(_SPECIAL.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """Renders a ``table*`` float for two-column papers; needs only the package ``booktabs``.

    A cell's detail (interval, standard deviation, pretraining) and what is below that are set small on lines
    of their own.
    """
    layout = lay_out(table)
    alignment = "".join("l" if column.digits is None else "c" for column in table.columns)
    lines = [
        "% Generated; needs \\usepackage{booktabs}.",
        r"\begin{table*}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *_header(table),
        *_body(layout, len(table.columns)),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes(table, layout),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _header(table: Table) -> list[str]:
    lines = []
    groups = header_groups(table.columns)
    if any(group for group, _ in groups):
        spans, rules, start = [], [], 1
        for group, width in groups:
            spans.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}" if group else "")
            if group:
                rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
            start += width
        lines += [" & ".join(spans) + r" \\", "".join(rules)]
    lines.append(" & ".join(escape(column.title) for column in table.columns) + r" \\")
    return lines


def _body(layout: Layout, width: int) -> list[str]:
    lines = []
    for title, rows in layout.sections:
        lines.append(r"\midrule")
        if title:
            lines.append(rf"\multicolumn{{{width}}}{{@{{}}l}}{{\textit{{{escape(title)}}}}} \\")
        for cells in rows:
            lines.append(" & ".join(_value(cell) for cell in cells) + r" \\")
            for small in ([cell.detail for cell in cells], [cell.below for cell in cells]):
                if any(small):
                    lines.append(" & ".join(_small(text) for text in small) + r" \\")
    return lines


def _value(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.underline:
        text = rf"\underline{{{text}}}"
    if cell.bold:
        text = rf"\textbf{{{text}}}"
    return text + (rf"\textsuperscript{{{cell.mark}}}" if cell.mark else "")


def _small(text: str) -> str:
    return rf"{{\scriptsize {escape(text)}}}" if text else ""


def _notes(table: Table, layout: Layout) -> list[str]:
    notes = [escape(note) for note in table.notes]
    notes += [rf"\textsuperscript{{{mark}}}\,{escape(reason)}." for mark, reason in layout.footnotes.items()]
    notes += [rf"\textbf{{Incomplete:}} {escape(problem)}." for problem in table.problems]
    if not notes:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{\textwidth}\scriptsize",
        *[f"{n}\\par" for n in notes],
        r"\end{minipage}",
    ]
