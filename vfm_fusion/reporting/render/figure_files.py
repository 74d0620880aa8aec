"""One figure to its two files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vfm_fusion.atomic import atomic_path
from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.style import style

BUILT = Figure | Mapping
"""What is written here: a figure, or figures by the name of the part."""


def save_figure(figure: Figure, *, pdf: Path, png: Path, dpi: int) -> None:
    """Writes a vector PDF with embedded fonts and a PNG; the same figure always gives the same bytes.

    Args:
        figure: what a function of ``vfm_fusion.reporting.figures`` returned.
        pdf: output for print.
        png: output for the screen.
        dpi: resolution of the PNG and of images inside the PDF, in dots per inch.
    """
    dateless = {"Creator": None, "Producer": None, "CreationDate": None}
    with style():
        with atomic_path(pdf) as path:
            figure.savefig(path, format="pdf", dpi=dpi, metadata=dateless)
        with atomic_path(png) as path:
            figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None})


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
