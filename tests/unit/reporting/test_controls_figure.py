"""The figure of controls: maps of one image above, a column of panels per definition below."""

from __future__ import annotations

from pathlib import Path

import controls_results as results
import numpy as np
import pytest
from matplotlib.figure import Figure

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import ReportingError
from vfm_fusion.metrics.controls import CONTROLS
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.reporting.control_results import Controls, controls_of, read_controls
from vfm_fusion.reporting.figures.controls import (
    DRAWN,
    UNKNOWN_HATCH,
    ControlExample,
    controls_figure,
    load_example,
)
from vfm_fusion.reporting.render.figure_files import save_figure
from vfm_fusion.reporting.style import PAGE_WIDTH, series_styles, style


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two generated scenes of 128 x 256 pixels."""
    root = tmp_path_factory.mktemp("scenes") / "mini"
    config = MiniscapesConfig(kind="miniscapes", train=1, val=2, height=128, width=256)
    generate(config, root, workers=1)
    return open_dataset(config, root, index_split(config, root, "val").frame)


@pytest.fixture
def controls(tmp_path: Path) -> Controls:
    return read_controls(results.write_controls(tmp_path))


@pytest.fixture
def example(dataset: Dataset) -> ControlExample:
    scores = results.scores().replace({"image_id": dict(zip(results.IMAGES, dataset.ids, strict=False))})
    return load_example(controls_of(scores), dataset)


@pytest.fixture
def figure(controls: Controls, example: ControlExample) -> Figure:
    return controls_figure(controls, example)


def test_the_example_is_the_first_scored_image_at_the_stride_nearest_to_8(
    example: ControlExample, dataset: Dataset
) -> None:
    np.testing.assert_array_equal(example.image, dataset.image(0))
    assert example.stride == 8
    assert {name: None if plane is None else plane.shape for name, plane in example.maps.items()} == {
        **dict.fromkeys(CONTROLS, (16, 32)),
        "constant": None,
    }


def test_stronger_contours_are_brighter(example: ControlExample) -> None:
    """The sign of a principal component is arbitrary; the picture's is not."""
    edges, blurred = example.maps["edges"], example.maps["blurred"]
    assert np.median(edges) < 0.5 < edges.max() == 1.0
    assert np.corrcoef(edges.ravel(), blurred.ravel())[0, 1] > 0.5


def test_an_image_that_the_data_set_lacks_is_refused(controls: Controls, dataset: Dataset) -> None:
    with pytest.raises(ReportingError, match="street_1, which the data set lacks"):
        load_example(controls, dataset)


def test_every_control_is_shown_beside_the_image(figure: Figure) -> None:
    upper = figure.subfigs[0]
    assert [axes.get_title() for axes in upper.axes] == [
        *("image", "image edges", "blurred edges", "smooth regions", "white noise", "shuffled edges"),
        "constant",
    ]
    assert [len(axes.images) for axes in upper.axes] == [1] * 6 + [0]
    assert upper.axes[-1].texts[0].get_text() == "undefined"


def test_lines_are_the_means_in_the_controls_colours(controls: Controls, figure: Figure) -> None:
    looks = series_styles(DRAWN)
    panels = figure.subfigs[1].axes
    assert [axes.get_title() for axes in panels] == ["good", "noisy", "", ""]
    for axes, (score, definition) in zip(
        panels, ((s, d) for s in ("ef", "sc") for d in ("good", "noisy")), strict=True
    ):
        for line, name in zip(axes.lines, DRAWN, strict=True):
            expected = [controls.mean(definition, score, stride, name)["mean"] for stride in (4, 8)]
            np.testing.assert_equal(line.get_ydata(), expected)
            assert line.get_color() == looks[name].color


def test_bands_mark_where_the_order_is_wrong_and_where_it_is_not_known(figure: Figure) -> None:
    good_ef, noisy_ef, good_sc, noisy_sc = figure.subfigs[1].axes
    assert len(good_ef.patches) == len(good_sc.patches) == 0
    assert [band.get_x() * 2**0.5 for band in noisy_ef.patches] == pytest.approx([4, 8])
    assert [band.get_hatch() for band in noisy_ef.patches] == [None, None]
    assert [band.get_hatch() for band in noisy_sc.patches] == [UNKNOWN_HATCH]
    assert noisy_sc.patches[0].get_x() * 2**0.5 == pytest.approx(8)


def test_nothing_overlaps_or_leaves_the_page(figure: Figure) -> None:
    with style():
        figure.draw_without_rendering()
        page = figure.bbox
        panels = [axes.get_tightbbox() for part in figure.subfigs for axes in part.axes]
        legend = figure.subfigs[1].legends[0].get_window_extent()
    assert not any(a.overlaps(b) for i, a in enumerate(panels) for b in [*panels[:i], legend])
    assert page.x0 <= legend.x0
    assert legend.x1 <= page.x1
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= page.y1 for box in panels)


def test_files_are_deterministic_and_as_wide_as_a_page(
    controls: Controls, example: ControlExample, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        figure = controls_figure(controls, example)
        assert figure.get_size_inches()[0] == pytest.approx(PAGE_WIDTH)
        save_figure(figure, pdf=tmp_path / f"{name}.pdf", png=tmp_path / f"{name}.png", dpi=60)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
