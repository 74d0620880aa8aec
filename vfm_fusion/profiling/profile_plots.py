"""The two figures of a profile, for a notebook, a folder or a page."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from vfm_fusion.reporting.render.figure_files import save_figure
from vfm_fusion.reporting.style import style

SCREEN_DPI = 150
PRINT_DPI = 300


@dataclass(frozen=True)
class ProfilePlots:
    """Figures of a profile; a notebook shows both.

    Attributes:
        profiles: SC and EF against output stride.
        plane: the encoders in the SC-EF plane.
    """

    profiles: Figure
    plane: Figure

    def save(self, folder: str | Path) -> None:
        """Writes ``profiles`` and ``sc_ef_plane`` as PDF and PNG."""
        for name, figure in (("profiles", self.profiles), ("sc_ef_plane", self.plane)):
            stem = Path(folder).expanduser() / name
            save_figure(figure, pdf=stem.with_suffix(".pdf"), png=stem.with_suffix(".png"), dpi=PRINT_DPI)

    def _repr_html_(self) -> str:
        return "\n".join(
            _image(figure, text)
            for figure, text in (
                (self.profiles, "SC and EF against output stride"),
                (self.plane, "Encoders in the SC-EF plane"),
            )
        )


def _image(figure: Figure, text: str) -> str:
    with style():
        figure.savefig(png := BytesIO(), format="png", dpi=SCREEN_DPI, metadata={"Software": None})
    data = b64encode(png.getvalue()).decode()
    width = round(figure.get_size_inches()[0] * 96)
    return f'<p><img alt="{text}" width="{width}" src="data:image/png;base64,{data}"></p>'
