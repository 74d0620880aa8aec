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
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, TALLEST, image_axes

PHOTO, TEXT = 1.5, 0.85
"""Widths of the photo and of the encoder's name, in widths of a map."""
HEADER = 0.2
"""Height of the line of headings, in inches."""
SPACE = 0.04
"""Space between rows and columns, in sizes of a map."""
TEXT_CHARACTERS = 18
"""Longest line of an encoder's description."""
TEXT_LINE = 0.125
"""Height of a line of it, in inches."""


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

    Images may differ in size. A map is as high over its width as its image; where that would be lower than
    the encoder's name, or higher than :data:`~vfm_fusion.reporting.style.TALLEST`, it is smaller than its
    place.

    Args:
        images: what to show; all with the same encoders and strides.
        labels: names in print; their order is the order of the rows.
        draw: draws ``(axes, image, features)``, features ``(C, h, w)``, over the whole of the axes.

    Raises:
        ReportingError: no image, or images with different encoders or strides.
    """
    encoders, strides = _common(images, labels)
    widths = [PHOTO, TEXT, *[1.0] * len(strides)]
    unit = PAGE_WIDTH / (sum(widths) + SPACE * (len(widths) - 1))
    lowest = max(TEXT_LINE * (1 + _description(labels, encoder).count("\n")) for encoder in encoders) / unit
    aspects = [profiled.image.shape[0] / profiled.image.shape[1] for profiled in images]
    places = [max(min(aspect, TALLEST), lowest) for aspect in aspects]
    rows = max(len(encoders), 2)  # room for the photo, which is wider than a map
    height = unit * sum(places) * rows * (1 + SPACE) + HEADER
    figure = Figure(figsize=(PAGE_WIDTH, height))
    blocks = GridSpec(
        len(images),
        1,
        figure,
        **{"left": 0, "right": 1, "bottom": 0, "top": 1 - HEADER / height, "hspace": SPACE / rows},
        height_ratios=places,
    )
    for index, (profiled, aspect, place) in enumerate(zip(images, aspects, places, strict=True)):
        block = blocks[index].subgridspec(
            rows, len(widths), width_ratios=widths, wspace=SPACE, hspace=SPACE / place / 2
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
                axes.set_box_aspect(aspect)
                if index == row == 0:
                    axes.set_title(f"OS {stride}")
    return figure


def say_undefined(axes: Axes, reason: str) -> None:
    """Writes why there is no map where the map would be."""
    text = textwrap.fill(f"undefined: {reason.replace('_', ' ')}", TEXT_CHARACTERS)
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=7, linespacing=LINE_SPACING)


def _description(labels: EncoderLabels, encoder: str) -> str:
    lines = textwrap.fill(pretraining(labels, encoder), TEXT_CHARACTERS)
    return f"{label(labels, encoder)}\n{lines}"


def _describe(axes: Axes, encoder: str, labels: EncoderLabels) -> None:
    image_axes(axes)
    axes.text(
        1.0,
        0.5,
        _description(labels, encoder),
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
    for encoder in first.features:
        label(labels, encoder)
    encoders = [encoder for encoder in labels if encoder in first.features]
    strides = {stride for maps in first.features.values() for stride in maps}
    if any(set(maps) != strides for maps in first.features.values()):
        raise ReportingError(
            "the encoders of one figure have different strides; pass the same pyramid levels"
        )
    return encoders, sorted(strides)
