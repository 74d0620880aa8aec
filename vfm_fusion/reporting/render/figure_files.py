"""One figure to its two files; or, where it cannot be drawn, the reason."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vfm_fusion.atomic import atomic_path
from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.render.undrawn import FIELD
from vfm_fusion.reporting.style import PAGE_WIDTH, style, styled

BUILT = Figure | Mapping
"""What is written here: a figure, or figures by the name of the part."""
MOST_PIXELS = 2**16 - 1
"""Height or width that a PNG of Matplotlib's can have."""
REASON_CHARACTERS = 95
"""Longest line of a reason."""
REASON_LINE = 0.15
"""Height of a line of it, in inches."""


def save_figure(
    figure: Figure, *, pdf: Path, png: Path, dpi: int, says: Mapping[str, str] | None = None
) -> None:
    """Writes a vector PDF with embedded fonts and a PNG; the same figure always gives the same bytes.

    Args:
        figure: what a function of ``vfm_fusion.reporting.figures`` returned.
        pdf: output for print.
        png: output for the screen.
        dpi: resolution of the PNG and of images inside the PDF, in dots per inch; less where a side of the
            PNG would have more than :data:`MOST_PIXELS`.
        says: text fields of the PNG.
    """
    dateless = {"Creator": None, "Producer": None, "CreationDate": None}
    dpi = min(dpi, MOST_PIXELS / max(figure.get_size_inches()))
    with style():
        with atomic_path(pdf) as path:
            figure.savefig(path, format="pdf", dpi=dpi, metadata=dateless)
        with atomic_path(png) as path:
            figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None, **(says or {})})


def write(
    built: Figure | Mapping[str, Figure], files: Mapping[str, Path], settings: Mapping[str, Any]
) -> None:
    """Writes a report's figure, or every part of a figure of several parts.

    Raises:
        ReportingError: the parts are not those that the report has files for.
    """
    parts = {"": built} if isinstance(built, Figure) else built
    expected = {name.rpartition("_")[0] for name in files}
    if parts.keys() != expected:
        found, wanted = (", ".join(sorted(names)) or "none" for names in (parts, expected))
        raise ReportingError(f"figures of the parts {found} were built; the report's label names: {wanted}")
    if isinstance(built, Figure):
        save_figure(built, pdf=files["pdf"], png=files["png"], dpi=settings["dpi"])
        return
    for part, figure in built.items():
        save_figure(figure, pdf=files[f"{part}_pdf"], png=files[f"{part}_png"], dpi=settings["dpi"])


def write_undrawn(error: Exception, files: Mapping[str, Path], settings: Mapping[str, Any]) -> None:
    """Writes why a report's figure could not be drawn to each of its files.

    The PNG says so in a text field too: see :func:`vfm_fusion.reporting.render.undrawn.undrawn`.
    """
    reason = f"{type(error).__name__}: {error}"
    for part in {name.rpartition("_")[0] for name in files}:
        names = [f"{part}_{suffix}" if part else suffix for suffix in ("pdf", "png")]
        pdf, png = (files[name] for name in names)
        save_figure(_stated(reason), pdf=pdf, png=png, dpi=settings["dpi"], says={FIELD: reason})


@styled
def _stated(reason: str) -> Figure:
    lines = ["This figure could not be drawn:", *textwrap.wrap(reason, REASON_CHARACTERS)]
    figure = Figure(figsize=(PAGE_WIDTH, REASON_LINE * (len(lines) + 2)))
    figure.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", parse_math=False)
    return figure
