"""Figures that show a map per image, encoder and output stride: what they load, and their layout."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, image_axes

PHOTO, TEXT = 1.5, 0.85
"""Widths of the photo and of the encoder's name, in widths of a map."""
HEADER = 0.2
"""Height of the line of headings, in inches."""
SPACE = 0.04
"""Space between rows and columns, in sizes of a map."""
TEXT_CHARACTERS = 18
"""Longest line of an encoder's description."""


@dataclass(frozen=True)
class ProfiledImage:
    """One image with the features that encoders give for it.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        features: encoder -> output stride -> ``(C, h, w)`` float.
    """

    image: np.ndarray
    features: Mapping[str, Mapping[int, np.ndarray]]


def feature_grid(
    images: Sequence[ProfiledImage],
    labels: EncoderLabels,
    draw: Callable[[Axes, np.ndarray, np.ndarray], None],
) -> Figure:
    """Lays out a block per image: the photo, and beside it a row per encoder with a map per stride.

    Args:
        images: what to show; all with the same encoders, strides and aspect ratio.
        labels: names in print; their order is the order of the rows.
        draw: draws ``(axes, image, features)``, features ``(C, h, w)``.

    Raises:
        ReportingError: no image, or images with different encoders, strides or aspect ratios.
    """
    encoders, strides = _common(images, labels)
    widths = [PHOTO, TEXT, *[1.0] * len(strides)]
    unit = PAGE_WIDTH / (sum(widths) + SPACE * (len(widths) - 1))
    aspect = images[0].image.shape[0] / images[0].image.shape[1]
    rows = max(len(encoders), 2)  # room for the photo, which is wider than a map
    height = unit * aspect * len(images) * rows * (1 + SPACE) + HEADER
    figure = Figure(figsize=(PAGE_WIDTH, height))
    blocks = GridSpec(
        len(images), 1, figure, left=0, right=1, bottom=0, top=1 - HEADER / height, hspace=SPACE / rows
    )
    for index, profiled in enumerate(images):
        block = blocks[index].subgridspec(
            rows, len(widths), width_ratios=widths, wspace=SPACE, hspace=SPACE / aspect / 2
        )
        photo = figure.add_subplot(block[:, 0], anchor="N")
        photo.imshow(profiled.image)
        image_axes(photo)
        if index == 0:
            photo.set_title("image")
        for row, encoder in enumerate(encoders):
            _describe(figure.add_subplot(block[row, 1]), encoder, labels)
            for column, stride in enumerate(strides, start=2):
                axes = figure.add_subplot(block[row, column])
                draw(axes, profiled.image, profiled.features[encoder][stride])
                image_axes(axes)
                if index == row == 0:
                    axes.set_title(f"OS {stride}")
    return figure


def say_undefined(axes: Axes, reason: str) -> None:
    """Writes why there is no map where the map would be."""
    text = textwrap.fill(f"undefined: {reason.replace('_', ' ')}", TEXT_CHARACTERS)
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=7, linespacing=LINE_SPACING)


def _describe(axes: Axes, encoder: str, labels: EncoderLabels) -> None:
    image_axes(axes)
    lines = textwrap.fill(pretraining(labels, encoder), TEXT_CHARACTERS)
    axes.text(
        1.0,
        0.5,
        f"{label(labels, encoder)}\n{lines}",
        ha="right",
        va="center",
        fontsize=7,
        linespacing=LINE_SPACING,
    )


def _common(images: Sequence[ProfiledImage], labels: EncoderLabels) -> tuple[list[str], list[int]]:
    if not images:
        raise ReportingError("no image was given; set reporting.images to at least 1")
    first = images[0]
    for profiled in images:
        if {encoder: set(maps) for encoder, maps in profiled.features.items()} != {
            encoder: set(maps) for encoder, maps in first.features.items()
        }:
            raise ReportingError("the images of one figure have different encoders or strides")
        if profiled.image.shape != first.image.shape:
            raise ReportingError(
                f"the images of one figure differ in size: {first.image.shape} and {profiled.image.shape}"
            )
    for encoder in first.features:
        label(labels, encoder)
    encoders = [encoder for encoder in labels if encoder in first.features]
    strides = {stride for maps in first.features.values() for stride in maps}
    if any(set(maps) != strides for maps in first.features.values()):
        raise ReportingError(
            "the encoders of one figure have different strides; pass the same pyramid levels"
        )
    return encoders, sorted(strides)
