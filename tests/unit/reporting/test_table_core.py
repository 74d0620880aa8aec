"""The table core and its writers: golden texts, footnotes, escaping, determinism."""

from __future__ import annotations

import math
import os
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value, number
from vfm_fusion.reporting.render.html import to_html
from vfm_fusion.reporting.render.latex import escape as escape_latex
from vfm_fusion.reporting.render.latex import to_latex
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.render.table_files import to_csv, write_table
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table, footnote_mark, lay_out

COLUMNS = (
    Column("run", "Run"),
    Column("ap", "AP", group="Test_set", digits=1, best="max", shows="std"),
    Column("err", "Err", group="Test_set", digits=2, best="min", shows="interval"),
)
DATA = {"run": ["mini_a", "50 % & é", "[c]"], "ap": [40.04, 39.96, np.nan], "why": ["", "", "no_object"]}


def shown_rows(why: str = "no_object") -> list[Row]:
    return [
        {
            "run": Entry("mini_a", "untrained (seeded)"),
            "ap": Entry(Value(40.04, std=0.25), underline=True),
            "err": Value(0.125, low=0.1, high=0.15),
        },
        {"run": "50 % & é", "ap": 39.96, "err": -0.001},
        {"run": Entry("[c]", "x|y"), "ap": Value.missing(why), "err": Value.missing(why)},
    ]


def table(**changes: object) -> Table:
    content = {
        "name": "demo",
        "caption": "100 % of it.",
        "data": pd.DataFrame(DATA),
        "columns": COLUMNS,
        "sections": (Section("", shown_rows()),),
        "notes": ("n = 3.",),
    }
    return Table(**(content | changes))


def test_markdown_golden() -> None:
    assert to_markdown(table()) == (
        "100 % of it.\n\n"
        "| Run | Test\\_set AP | Test\\_set Err |\n"
        "| :-- | --: | --: |\n"
        "| mini\\_a<br>untrained (seeded) | **<u>40.0</u>** ± 0.2 | 0.12 [0.10, 0.15] |\n"
        "| 50 % & é | **40.0** | **0.00** |\n"
        "| [c]<br>x\\|y | —<sup>a</sup> | —<sup>a</sup> |\n\n"
        "n = 3.  \n"
        "<sup>a</sup> no\\_object.\n"
    )


def test_latex_golden() -> None:
    assert to_latex(table()) == (
        "% Generated; needs \\usepackage{booktabs}.\n"
        "\\begin{table*}[t]\n"
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\n"
        "\\caption{100 \\% of it.}\n"
        "\\label{tab:demo}\n"
        "\\begin{tabular}{@{}lcc@{}}\n"
        "\\toprule\n"
        " & \\multicolumn{2}{c}{Test\\_set} \\\\\n"
        "\\cmidrule(lr){2-3}\n"
        "Run & AP & Err \\\\\n"
        "\\midrule\n"
        "mini\\_a & \\textbf{\\underline{40.0}} & 0.12 \\\\\n"
        "{\\scriptsize untrained (seeded)} & {\\scriptsize $\\pm$ 0.2} & {\\scriptsize {[}0.10, 0.15]} \\\\\n"
        "50 \\% \\& é & \\textbf{40.0} & \\textbf{0.00} \\\\\n"
        "{[}c] & ---\\textsuperscript{a} & ---\\textsuperscript{a} \\\\\n"
        "{\\scriptsize x\\textbar{}y} &  &  \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\par\\smallskip\n"
        "\\begin{minipage}{\\textwidth}\\scriptsize\n"
        "n = 3.\\par\n"
        "\\textsuperscript{a}\\,no\\_object.\\par\n"
        "\\end{minipage}\n"
        "\\end{table*}\n"
    )


def test_csv_golden() -> None:
    assert to_csv(table()) == "run,ap,why\nmini_a,40.04,\n50 % & é,39.96,\n[c],,no_object\n"


class _Cells(HTMLParser):
    """Collects the text of table cells and the tags that were opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def test_html_holds_the_same_cells_and_escapes() -> None:
    parser = _Cells()
    parser.feed(to_html(table()))
    assert parser.open == []
    assert parser.rows == [
        ["", "Test_set"],
        ["Run", "AP", "Err"],
        ["mini_auntrained (seeded)", "40.0± 0.2", "0.12[0.10, 0.15]"],
        ["50 % & é", "40.0", "0.00"],
        ["[c]x|y", "—a", "—a"],
    ]
    assert "50 % &amp; é" in to_html(table())
    assert "<script" not in to_html(table(caption="<script>alert(1)</script>"))


def test_missing_value_without_reason_is_an_error() -> None:
    for rows in (shown_rows(why=""), [*shown_rows(), {"run": "d", "ap": math.nan, "err": 1.0}]):
        with pytest.raises(ReportingError, match=r"'ap' is undefined .* no reason"):
            lay_out(table(sections=(Section("", rows),)))


def test_section_that_says_its_absences_once_needs_no_footnote() -> None:
    rows = [*shown_rows()[:2], {"err": 1.0}]
    layout = lay_out(table(sections=(Section("Published", rows, ranked=False, fill="—"),)))
    assert layout.footnotes == {}
    assert [cell.text for cell in layout.sections[0][1][2]] == ["", "—", "1.00"]
    blank = lay_out(table(sections=(Section("", rows, fill=""),)))
    assert [cell.text for cell in blank.sections[0][1][2]] == ["", "", "1.00"]
    with pytest.raises(ReportingError, match=r"column 'run' is absent; found \['err'\]"):
        lay_out(table(sections=(Section("", rows),)))


def test_equal_reasons_share_a_footnote_and_others_do_not() -> None:
    rows = [{"v": Value.missing(why)} for why in "xyx"]
    layout = lay_out(table(columns=(Column("v", "V", digits=1),), sections=(Section("", rows),)))
    assert layout.footnotes == {"a": "x", "b": "y"}
    assert [row[0].mark for row in layout.sections[0][1]] == ["a", "b", "a"]


def test_unranked_rows_and_single_competitors_are_never_bold() -> None:
    column = Column("v", "V", digits=1, best="max")
    best = Section("Published", [{"v": 9.0}], ranked=False)
    layout = lay_out(table(columns=(column,), sections=(Section("", [{"v": 1.0}]), best)))
    assert not any(cell.bold for _, rows in layout.sections for row in rows for cell in row)


def test_best_in_row() -> None:
    rows = [{"a": 1.0, "b": 2.0}, {"a": Value(4.0), "b": Entry(3.0)}]
    columns = (Column("a", "A", digits=0, best="max"), Column("b", "B", digits=0, best="max"))
    layout = lay_out(table(columns=columns, sections=(Section("", rows),), best_in="row"))
    assert [[cell.bold for cell in row] for row in layout.sections[0][1]] == [[False, True], [True, False]]


def test_best_in_each_section() -> None:
    sections = tuple(Section("", [{"a": value} for value in values]) for values in ([1.0, 2.0], [9.0, 8.0]))
    layout = lay_out(
        table(columns=(Column("a", "A", digits=0, best="max"),), sections=sections, best_in="section")
    )
    assert [[row[0].bold for row in rows] for _, rows in layout.sections] == [[False, True], [True, False]]


def test_a_line_below_the_interval_in_every_format() -> None:
    rows = [{"a": Entry(Value(1.0, low=0.5, high=1.5), "null 0.1")}, {"a": Value(2.0, low=1.5, high=2.5)}]
    column = Column("a", "A", digits=1, shows="interval")
    shown = table(columns=(column,), sections=(Section("", rows),))
    assert "| 1.0 [0.5, 1.5]<br>null 0.1 |\n| 2.0 [1.5, 2.5] |\n" in to_markdown(shown)
    assert (
        "1.0 \\\\\n{\\scriptsize {[}0.5, 1.5]} \\\\\n{\\scriptsize null 0.1} \\\\\n"
        "2.0 \\\\\n{\\scriptsize {[}1.5, 2.5]} \\\\\n\\bottomrule"
    ) in to_latex(shown)
    assert '<td class="n">1.0<small>[0.5, 1.5]</small><small>null 0.1</small></td>' in to_html(shown)
    assert '<td class="n">2.0<small>[1.5, 2.5]</small></td>' in to_html(shown)


def test_empty_notes_and_problems_are_left_out() -> None:
    shown = table(notes=["", "n = 3.", ""], problems=[""])
    assert (shown.notes, shown.problems) == (("n = 3.",), ())


def test_problems_are_marked_in_every_format() -> None:
    incomplete = table(problems=("run 'x' lacks seed 2",))
    assert "**Incomplete:** run 'x' lacks seed 2." in to_markdown(incomplete)
    assert r"\textbf{Incomplete:} run 'x' lacks seed 2." in to_latex(incomplete)
    assert "Incomplete: run &#x27;x&#x27; lacks seed 2." in to_html(incomplete)


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("a_b", r"a\_b"),
        ("95 %", r"95 \%"),
        ("Käthe → 東京", r"Käthe $\to$ 東京"),
        ("\\{x}^~", r"\textbackslash{}\{x\}\textasciicircum{}\textasciitilde{}"),
        ("a & b # $1", r"a \& b \# \$1"),
        ("−1 ± 2", r"$-$1 $\pm$ 2"),
        ("null 9.1 †", r"null 9.1 $\dagger$"),
    ],
)
def test_latex_escaping(plain: str, latex: str) -> None:
    assert escape_latex(plain) == latex


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_latex_escaping_leaves_no_active_character(text: str) -> None:
    escaped = escape_latex(text)
    for command in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}"):
        escaped = escaped.replace(command, "")
    for command in (r"\textgreater{}", r"\textbar{}", r"$\times$", r"$\geq$", r"$\leq$", r"$\to$", "{[}"):
        escaped = escaped.replace(command, "")
    for command in (
        r"$\pm$",
        r"$\cdot$",
        r"$\dagger$",
        "$-$",
        *[f"\\{character}" for character in "{}$&#_%"],
    ):
        escaped = escaped.replace(command, "")
    assert not set(escaped) & set("\\{}$&#_%~^<>|")


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_number_reads_back_rounded(value: float, digits: int) -> None:
    text = number(value, digits)
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.5000001 * 10**-digits)
    assert not (text.startswith("−") and float(text.replace("−", "-")) == 0)


def test_footnote_marks_are_distinct() -> None:
    assert len({footnote_mark(index) for index in range(1000)}) == 1000


def test_written_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        paths = {kind: folder / f"demo.{kind}" for kind in ("csv", "tex", "md", "html")}
        write_table(table(), **paths)
        assert sorted(os.listdir(folder)) == ["demo.csv", "demo.html", "demo.md", "demo.tex"]
        contents.append([path.read_bytes() for path in paths.values()])
    assert contents[0] == contents[1]


def test_a_table_that_cannot_be_rendered_leaves_the_previous_files(tmp_path: Path) -> None:
    paths = {kind: tmp_path / f"demo.{kind}" for kind in ("csv", "tex", "md", "html")}
    write_table(table(), **paths)
    before = [path.read_bytes() for path in paths.values()]
    broken = table(sections=(Section("", shown_rows(why="")),))
    with pytest.raises(ReportingError):
        write_table(broken, **paths)
    assert [path.read_bytes() for path in paths.values()] == before
