"""One table to its four files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vfm_fusion.atomic import write_text
from vfm_fusion.reporting.render.html import to_html
from vfm_fusion.reporting.render.latex import to_latex
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.table import Table

BUILT = Table
"""What is written here."""


def to_csv(table: Table) -> str:
    """Renders the tidy data: ten significant digits, missing values empty beside their reason."""
    return table.data.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def write_table(table: Table, *, csv: Path, tex: Path, md: Path, html: Path) -> None:
    """Writes every format of ``table``; the same table always gives the same bytes.

    Raises:
        ReportingError: a missing value has no reason.
        OSError: a file cannot be written; its previous version stays.
    """
    rendered = {csv: to_csv(table), tex: to_latex(table), md: to_markdown(table), html: to_html(table)}
    for path, content in rendered.items():
        write_text(path, content)


def write(table: Table, files: Mapping[str, Path], settings: Mapping[str, Any]) -> None:
    """Writes a report's table, called as its files are; a table has no settings of its own."""
    write_table(replace(table, name=files["csv"].stem), **files)
