"""A new table or figure is a module and an entry: its rule, group, files and place on the page follow."""

from __future__ import annotations

import os
import re

import pytest
from working_copy import Workflow

pytestmark = [pytest.mark.timeout(1200)]

MODULE = '''"""How many images the profiles are of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

{imports}


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> {kind}:
    """Builds the report."""
{body}
'''
TABLE = MODULE.format(
    imports="import pandas as pd\n\nfrom vfm_fusion.reporting.table import Column, Section, Table",
    kind="Table",
    body="""    profiles = pd.concat(pd.read_parquet(path) for path in inputs["summaries"])
    data = pd.DataFrame({"images": [int(profiles["images"].max())]})
    columns, rows = (Column("images", "Images", digits=0),), data.to_dict("records")
    return Table("images", "Images.", data, columns, (Section("", rows),))""",
)
FIGURE = MODULE.format(
    imports="from matplotlib.figure import Figure",
    kind="Figure",
    body="""    figure = Figure(figsize=(1, 1))
    figure.text(0.1, 0.5, str(len(inputs["summaries"])))
    return figure""",
)
ENTRY = """
    Report(
        "{kind}_images",
        "vfm_fusion.reporting.{kind}s.images",
        "1. Profiles",
        "Images behind profiles, a {kind}",
        "{kind}: images behind the profiles",
        inputs=reported.profiled,
    ),"""


@pytest.fixture
def extended(finished: Workflow):
    """The finished copy with a new table and a new figure; afterwards as it was."""
    package = finished.folder / "vfm_fusion" / "reporting"
    modules = {package / "tables" / "images.py": TABLE, package / "figures" / "images.py": FIGURE}
    for path, text in modules.items():
        path.write_text(text)
    entries = ENTRY.format(kind="table") + ENTRY.format(kind="figure")
    undo = finished.edit("vfm_fusion/reporting/entries/profiles.py", "ENTRIES = (", f"ENTRIES = ({entries}")
    yield finished
    undo()
    for path in [*modules, *finished.results.rglob("images.*")]:
        path.unlink()
    assert finished.planned() == {}


def test_a_new_report_is_a_module_and_an_entry(extended: Workflow) -> None:
    assert extended.planned() == {"table_images": 1, "figure_images": 1}

    profile = extended.snakemake("--profile", "slurm", "-n", "all")
    grouped = re.search(r"Group job profiles .*?\n((?: .*\n|\s*\n)+)", profile.stdout + profile.stderr)
    assert grouped, profile.stdout + profile.stderr
    assert "table: images behind the profiles" in grouped[1]
    assert "figure: images behind the profiles" in grouped[1]

    done = extended.snakemake("all")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert (extended.results / "tables/images.csv").read_text() == "images\n5\n"
    assert {path.name for path in extended.results.glob("*/images.*")} == {
        *(f"images.{suffix}" for suffix in ("csv", "tex", "md", "html", "pdf", "png")),
    }
    page = (extended.results / "report.html").read_text(encoding="utf-8")
    assert "Images behind profiles, a table" in page
    assert "Images behind profiles, a figure" in page
    assert extended.planned() == {}

    path = extended.folder / "vfm_fusion/reporting/tables/images.py"
    path.write_text(TABLE.replace("Images.", "Images of the profiles."))
    assert extended.planned() == {"table_images": 1}
    path.write_text(TABLE.replace("Builds the report.", "Builds this report."))
    os.utime(path)
    assert extended.planned() == {}


def test_a_figure_that_cannot_be_drawn_takes_neither_tables_nor_the_page_with_it(extended: Workflow) -> None:
    """Whether it is refused by name or is a fault of the program: the run fails, and tries again."""
    path = extended.folder / "vfm_fusion/reporting/figures/images.py"
    path.write_text(FIGURE.replace("    figure.text", "    inputs['nothing']\n    figure.text"))
    done = extended.snakemake("all")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "results/quick/figures/images.png could not be drawn: KeyError: 'nothing'" in said
    log = (extended.results / "logs/figure_images.log").read_text()
    assert 'inputs["nothing"]' in log or "inputs['nothing']" in log
    assert (extended.results / "tables/images.csv").read_text() == "images\n5\n"
    page = (extended.results / "report.html").read_text(encoding="utf-8")
    assert "Images behind profiles, a figure (not drawn)" in page
    assert "Images behind profiles, a table (not drawn)" not in page
    assert extended.planned() == {"figure_images": 1}

    path.write_text(FIGURE)
    done = extended.snakemake("all")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "(not drawn)" not in (extended.results / "report.html").read_text(encoding="utf-8")
    assert extended.planned() == {}
