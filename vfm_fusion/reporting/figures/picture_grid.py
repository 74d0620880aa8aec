"""Blocks of rows of pictures, each with a line above it, for figures of maps and of masks."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, TALLEST, image_axes

LABEL_WIDTH = 0.85
"""Width of the names of rows, in inches."""
GAP = 0.04
"""Space between pictures, in inches."""
WIDEST = 1.5
"""Width of a picture at most, in inches."""
LINE = 0.112
"""Height of a line of small print, in inches."""
CHARACTERS = 20.0
"""Characters of small print that fit into an inch."""
POSITIVE, NEGATIVE = "#00c853", "#e53935"
"""Colours of clicks on the object and off it."""


@dataclass(frozen=True)
class Drawn:
    """A click as it is drawn.

    Attributes:
        row: from the top.
        col: from the left.
        positive: whether it is on the object.
    """

    row: int
    col: int
    positive: bool = True


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        content: ``(H, W, 3)`` uint8, or float in [0, 1], or ``(H, W)`` float.
        title: what stands above it.
        clicks: clicks that are drawn on it.
        says: what is written on it.
    """

    content: np.ndarray
    title: str = ""
    clicks: Sequence[Drawn] = ()
    says: str = ""


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side.

    Attributes:
        label: what stands to the left of them.
        pictures: left to right; None leaves a place empty.
    """

    label: str
    pictures: Sequence[Picture | None]


@dataclass(frozen=True)
class Block:
    """Rows under one heading.

    Attributes:
        heading: above all rows; empty for none.
        rows: top to bottom.
    """

    heading: str
    rows: Sequence[PictureRow]


def picture_grid(blocks: Sequence[Block], notes: Sequence[str] = ()) -> Figure:
    """Draws blocks below one another, all pictures as wide.

    A picture that is higher over its width than :data:`~vfm_fusion.reporting.style.TALLEST` is smaller than
    its place.

    Args:
        blocks: what to show.
        notes: lines below all blocks.

    Raises:
        ReportingError: there is no picture.
    """
    columns = max((len(row.pictures) for block in blocks for row in block.rows), default=0)
    if columns == 0:
        raise ReportingError("there is no picture: none of the shown images has an object")
    width = min((PAGE_WIDTH - LABEL_WIDTH - GAP * columns) / columns, WIDEST)
    small_print = [line for note in notes for line in textwrap.wrap(note, round(CHARACTERS * PAGE_WIDTH))]
    footer = LINE * len(small_print) + (GAP if small_print else 0)
    height = sum(_height_of_block(block, width) for block in blocks) + footer
    figure = Figure(figsize=(PAGE_WIDTH, height))
    top = height
    for block in blocks:
        if block.heading:
            figure.text(
                0, (top - 1.5 * LINE) / height, block.heading, fontsize=8, weight="bold", va="baseline"
            )
            top -= _heading_height(block)
        for row in block.rows:
            _draw_row(figure, row, width, top, height)
            top -= _row_height(row, width)
    figure.text(0, 0, "\n".join(small_print), fontsize=7, va="bottom", linespacing=LINE_SPACING)
    return figure


def _heading_height(block: Block) -> float:
    return 2 * LINE if block.heading else 0.0


def _height_of_block(block: Block, width: float) -> float:
    return _heading_height(block) + sum(_row_height(row, width) for row in block.rows)


def _row_height(row: PictureRow, width: float) -> float:
    named = LINE * (1 + len(_label_lines(row.label)))
    return max(_titles_height(row, width) + width * _aspect(row), named) + GAP


def _aspect(row: PictureRow) -> float:
    """Height over width of the places of a row."""
    shapes = [picture.content.shape for picture in row.pictures if picture is not None]
    return min(max((shape[0] / shape[1] for shape in shapes), default=1.0), TALLEST)


def _titles_height(row: PictureRow, width: float) -> float:
    lines = max((len(_title_lines(picture, width)) for picture in row.pictures if picture), default=0)
    return LINE * lines + (GAP if lines else 0)


def _title_lines(picture: Picture, width: float) -> list[str]:
    characters = max(4, round(CHARACTERS * width))
    return [
        line
        for part in picture.title.split("\n")
        for line in textwrap.wrap(part, characters, break_on_hyphens=False)
    ]


def _label_lines(text: str) -> list[str]:
    return textwrap.wrap(text, round(CHARACTERS * LABEL_WIDTH) - 1, break_on_hyphens=False)


def _draw_row(figure: Figure, row: PictureRow, width: float, top: float, height: float) -> None:
    titles, aspect = _titles_height(row, width), _aspect(row)
    bottom = top - titles - width * aspect
    middle = (bottom + width * aspect / 2) / height
    lines = "\n".join(_label_lines(row.label))
    figure.text(0, middle, lines, fontsize=7, va="center", linespacing=LINE_SPACING)
    for column, picture in enumerate(row.pictures):
        if picture is None:
            continue
        left = LABEL_WIDTH + GAP + column * (width + GAP)
        box = (left / PAGE_WIDTH, bottom / height, width / PAGE_WIDTH, width * aspect / height)
        axes = figure.add_axes(box)
        _draw(axes, picture, width)
        figure.text(
            (left + width / 2) / PAGE_WIDTH,
            (top - titles + GAP / 2) / height,
            "\n".join(_title_lines(picture, width)),
            **{"fontsize": 7, "ha": "center", "va": "bottom", "linespacing": LINE_SPACING},
        )


def _draw(axes: Axes, picture: Picture, width: float) -> None:
    axes.imshow(picture.content)
    image_axes(axes)
    for click in picture.clicks:
        axes.plot(
            [click.col],
            [click.row],
            marker="o",
            markersize=2.6,
            markerfacecolor=POSITIVE if click.positive else NEGATIVE,
            markeredgecolor="white",
            markeredgewidth=0.4,
            linestyle="none",
        )
    rows, columns = picture.content.shape[:2]
    if picture.says:
        lines = textwrap.fill(picture.says, max(4, round(CHARACTERS * width)))
        axes.text(columns / 2, rows / 2, lines, ha="center", va="center", fontsize=7)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
