"""The one style of all figures: sizes, type, colours, and how they are saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMN_WIDTH = 3.3
"""Width of a single-column figure in inches."""
PAGE_WIDTH = 6.9
"""Width of a figure that spans both columns, in inches."""
TALLEST = 1.25
"""Height over width of the place of a picture at most: a taller one is narrower than its place."""
LINE_SPACING = 1.05
"""Line distance of text of several lines; the type face has generous line heights of its own."""
RING = {
    **{"marker": "o", "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 0.9},
    "linestyle": "none",
}
"""A marker around what was chosen."""

_RC: dict[str, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Sans"],  # both ship with Matplotlib; the second has more scripts
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,  # embedded TrueType, so that text stays text
}

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

P = ParamSpec("P")


@dataclass(frozen=True)
class SeriesStyle:
    """How one series looks everywhere: Okabe and Ito's colour-blind-safe colours, and a marker for print."""

    color: str
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """Arguments of a line through points with white edges."""
        edges = {"markeredgecolor": "white", "markeredgewidth": 0.4}
        return {"color": self.color, "marker": self.marker, **edges}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Runs a figure function under the project's style, whatever the caller's Matplotlib settings are."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return draw(*args, **kwargs)

    return wrapper


def style() -> Any:
    """Returns the context in which figures are drawn and saved."""
    return mpl.rc_context({**mpl.rcParamsDefault, **_RC, "backend": "agg"})


def series_styles(keys: Sequence[str]) -> dict[str, SeriesStyle]:
    """Assigns every series its look by position; after seven, colours repeat with other markers."""
    return {
        key: SeriesStyle(
            _COLORS[index % len(_COLORS)], _MARKERS[(index + index // len(_COLORS)) % len(_MARKERS)]
        )
        for index, key in enumerate(keys)
    }


def stride_axis(axes: Axes, strides: Sequence[int]) -> None:
    """Makes x a log2 axis with one tick per output stride."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(strides), [str(stride) for stride in strides])
    axes.minorticks_off()
    axes.set_xlim(min(strides) / 1.25, max(strides) * 1.25)
    axes.set_xlabel("Output stride (OS)")


def image_axes(axes: Axes) -> None:
    """Strips ticks, grid and frame from axes that show an image."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def interval_note(profiles: pd.DataFrame) -> str:
    """Says what points and bars are, with the number of profiled images."""
    counts = sorted(set(profiles["images"] + profiles["undefined"]))
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Mean and 95 % bootstrap interval, n = {number} images"
