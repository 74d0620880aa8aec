"""Figures of images of any sizes: a picture is as high over its width as its image, and within its row."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import reporting_results as results
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.datasets.base import Category
from vfm_fusion.datasets.readers.coco_labels import PANOPTIC
from vfm_fusion.reporting.figures.energy_maps import energy_maps_figure
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage
from vfm_fusion.reporting.figures.pca_maps import pca_maps_figure
from vfm_fusion.reporting.figures.qualitative import Scene, Segmentation, qualitative_figure

SIZES = [(40, 64), (64, 40), (48, 48), (8, 120), (120, 8)]
STRIDES = (4, 8)


def photo(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(size[0]).integers(0, 256, (*size, 3), np.uint8)


def profiled(size: tuple[int, int]) -> ProfiledImage:
    """Maps of squares, as ``features.image_size`` makes them."""
    rng = np.random.default_rng(size[1])
    maps = {stride: rng.normal(size=(6, 64 // stride, 64 // stride)) for stride in STRIDES}
    return ProfiledImage(photo(size), {encoder: maps for encoder in ("mini_dino", "swin")})


def scene(size: tuple[int, int]) -> Scene:
    truth = Segmentation(np.zeros(size, np.uint8), None)
    return Scene(photo(size), truth, {"Swin": truth, "Ours": truth})


def boxes(figure: Figure, axes: list[Axes]) -> list[np.ndarray]:
    """Left, bottom, right and top of axes, in inches, as they are drawn."""
    figure.draw_without_rendering()
    return [shown.get_window_extent().extents / figure.dpi for shown in axes]


def pictures(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images]


def check(found: list[np.ndarray], sizes: list[tuple[int, int]], figure: Figure) -> None:
    assert len(found) == len(sizes)
    for (left, bottom, right, top), (height, width) in zip(found, sizes, strict=True):
        assert (top - bottom) / (right - left) == pytest.approx(height / width, rel=0.03)
        assert left > -0.01
        assert bottom > -0.01
        assert right < figure.get_figwidth() + 0.01
        assert top < figure.get_figheight() + 0.01
    for one, other in itertools.combinations(found, 2):
        assert (np.minimum(one[2:], other[2:]) <= np.maximum(one[:2], other[:2]) + 1e-6).any()


@pytest.mark.parametrize("draw", [pca_maps_figure, energy_maps_figure])
def test_maps_have_the_shape_of_their_image(draw) -> None:
    settings = (MetricConfig(),) if draw is energy_maps_figure else ()
    figure = draw([profiled(size) for size in SIZES], results.LABELS, *settings)
    shown = [size for size in SIZES for _ in range(1 + 2 * len(STRIDES))]
    check(boxes(figure, pictures(figure)), shown, figure)
    assert figure.get_figheight() < 15


def test_names_of_encoders_have_room_beside_low_images() -> None:
    figure = pca_maps_figure([profiled((8, 120)), profiled((40, 64))], results.LABELS)
    texts = [text for axes in figure.axes if not axes.images for text in axes.texts]
    figure.draw_without_rendering()
    tops = sorted((text.get_window_extent().extents[[3, 1]].tolist() for text in texts), reverse=True)
    assert len(tops) == 4
    assert all(above[1] >= below[0] for above, below in itertools.pairwise(tops))


def test_scenes_have_rows_of_their_own_height() -> None:
    figure = qualitative_figure(
        [scene(size) for size in SIZES],
        [Category(0, "road", False, (128, 64, 128))],
        {"Swin": "", "Ours": ""},
    )
    check(boxes(figure, pictures(figure)), [size for size in SIZES for _ in range(4)], figure)
    assert figure.get_figheight() < 12


def test_a_legend_of_many_long_names_is_as_wide_as_the_page_and_below_the_scenes() -> None:
    """The 133 classes of COCO's panoptic task, all in one image."""
    categories = [
        Category(index, name, isthing, color) for index, (_, name, isthing, color) in enumerate(PANOPTIC)
    ]
    classes = np.resize(np.arange(len(categories), dtype=np.uint8), (40, 64))
    truth = Segmentation(classes, None)
    figure = qualitative_figure(
        [Scene(photo((40, 64)), truth, {"Swin": truth})], categories, {"Swin": ""}, ["A: B"]
    )
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 133
    left, bottom, right, top = legend.get_window_extent().extents
    assert left >= 0
    assert right <= figure.bbox.width
    assert top <= min(axes.get_window_extent().y0 for axes in pictures(figure))
    assert bottom >= max(text.get_window_extent().y0 for text in figure.texts)
