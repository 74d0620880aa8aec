"""Figures of clicks: what is drawn, in which shapes, and where."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from clicked_by_hand import ENCODERS, UPSAMPLERS, key, qualities, results, scored
from matplotlib.figure import Figure

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.figures import click_sequences
from vfm_fusion.reporting.figures.click_cost import Point, click_cost_figure, front, points_of
from vfm_fusion.reporting.figures.click_sequences import Shown, click_sequences_figure, painted
from vfm_fusion.reporting.figures.iou_by_clicks import iou_by_clicks_figure
from vfm_fusion.reporting.figures.picture_grid import NEGATIVE, POSITIVE, picture_grid
from vfm_fusion.reporting.figures.upsampled_maps import upsampled_maps_figure

SIZE = (12, 20)


def pictures(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.images]


def check_apart(figure: Figure) -> None:
    """No picture and no text lies on another, or outside the figure."""
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in pictures(figure)]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]
    frame = figure.bbox
    for box in boxes:
        assert box.x0 > -1
        assert box.y0 > -1
        assert box.x1 < frame.x1 + 1
        assert box.y1 < frame.y1 + 1
    for one, other in itertools.combinations(boxes, 2):
        apart = (
            min(one.x1, other.x1) <= max(one.x0, other.x0) + 1
            or min(one.y1, other.y1) <= max(one.y0, other.y0) + 1
        )
        assert apart


class TestCurves:
    def test_a_line_an_upsampler_through_the_means_over_seeds(self) -> None:
        found = [scored("low"), scored("low", seed=1), scored("loft", **{"mIoU@5": None})]
        found += [scored("loft", seed=1)]
        found[1]["scores"]["mIoU@1"] = 60.0
        figure = iou_by_clicks_figure(results(found, seeds=(0, 1)))
        (axes,) = [axes for axes in figure.axes if axes.get_visible()]
        low, loft = axes.lines
        assert [*low.get_xdata()] == [1, 2, 3, 4, 5]
        assert low.get_ydata()[0] == 59.0
        assert np.isnan(loft.get_ydata()[4])
        assert len(axes.collections) == 2  # bands
        assert {low.get_marker(), loft.get_marker()} == {"o", "^"}
        assert axes.xaxis.get_gridlines()[0].get_linestyle() == "--"
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["low-res", "LoftUp"]
        assert legend.get_title().get_text() == "Mean and range of 2 seeds"

    @pytest.mark.parametrize(("datasets", "shape"), [(1, (1, 2)), (2, (2, 2)), (4, (2, 4)), (5, (4, 4))])
    def test_panels_of_data_sets_and_click_models(self, datasets: int, shape: tuple[int, int]) -> None:
        names = [f"set{index}" for index in range(datasets)]
        found = [
            scored("low", dataset=name, clicks=clicks)
            for name, clicks in itertools.product(names, ("early", "late"))
        ]
        figure = iou_by_clicks_figure(results(found, datasets=names))
        grid = figure.axes[0].get_gridspec()
        assert (grid.nrows, grid.ncols) == shape
        visible = [axes for axes in figure.axes if axes.get_visible()]
        assert len(visible) == 2 * datasets
        assert all(not axes.collections for axes in visible)  # one seed has no band
        assert visible[0].get_title() == f"{names[0]}\nDINO, early"
        assert figure.legends[0].get_title().get_text() in ("", "None")


class TestCost:
    CLICKS = (("low", 4.0), ("flat", 4.5), ("loft", 2.0))

    def test_the_front_is_what_no_other_beats_in_both(self) -> None:
        cheap, good, worse = Point("a", 0, 9), Point("b", 2, 5), Point("c", 3, 6)
        equal = Point("d", 2, 5)
        assert front([good, worse, cheap, equal]) == [cheap, good]
        assert front([]) == []

    def test_one_upsampler_has_no_row_beside_others(self) -> None:
        alone = scored("low", clicks="early")
        compared = [scored(name, noc) for name, noc in self.CLICKS]
        told = qualities({name: {} for name, _ in self.CLICKS})
        assert len(click_cost_figure(results([*compared, alone]), told).axes) == 3
        assert len(click_cost_figure(results([alone]), told).axes) == 3

    def test_three_costs_with_what_is_known(self) -> None:
        own = results([scored(name, noc) for name, noc in self.CLICKS])
        told = qualities({name: {} for name, _ in self.CLICKS}, peak_bytes=None)
        assert points_of(own, told, "dino", "late", "memory") == []
        figure = click_cost_figure(own, told)
        parameters, time, memory = figure.axes
        assert [axes.get_xlabel() for axes in figure.axes] == [
            "Parameters (M)",
            "Milliseconds per image",
            "Memory (MB)",
        ]
        line, *points = parameters.lines
        assert [*zip(line.get_xdata(), line.get_ydata(), strict=True)] == [(0, 4.0), (4.303894, 2.0)]
        assert [(*point.get_xdata(), *point.get_ydata()) for point in points] == [
            (0, 4.0),
            (0, 4.5),
            (4.303894, 2.0),
        ]
        assert {*time.lines[1].get_xdata()} == {250.0}
        assert [text.get_text() for text in memory.texts] == ["not measured"]

    def test_clicks_are_the_mean_over_data_sets_and_undefined_ones_have_no_point(self) -> None:
        found = [scored("low", 4.0, dataset="a"), scored("low", 6.0, dataset="b")]
        found += [scored("loft", 2.0, dataset="a"), scored("loft", None, dataset="b")]
        own = results(found, datasets=("a", "b"))
        assert points_of(own, qualities({}), "dino", "late", "parameters") == [Point("low", 0, 5.0)]


def written(folder: Path, upsampler: str, ids: tuple[str, ...] = ("one",), rounds: int = 5) -> Shown:
    """Masks of an object that is clicked three times, its rounds carried on from there."""
    masks, table = folder / f"{upsampler}.h5", folder / f"{upsampler}.parquet"
    with h5py.File(masks, "w") as file:
        file.attrs["ids"] = json.dumps(ids)
        for image_id in ids:
            group = file.create_group(image_id)
            group.attrs["object"] = 2
            group["image"], group["truth"] = np.full((*SIZE, 3), 90, np.uint8), np.ones(SIZE, bool)
            group["masks"] = np.arange(3)[:, None, None] < np.broadcast_to(np.arange(SIZE[1]), (1, *SIZE))
    rows = [
        (image_id, 2, click, click, 2 * click, click != 2, 0.2 * click, False)
        if click <= 3
        else (image_id, 2, click, None, None, None, 0.6, True)
        for image_id in ids
        for click in range(1, rounds + 1)
    ]
    columns = ["image_id", "object", "click", "row", "col", "positive", "iou", "carried"]
    types = {"row": "Int32", "col": "Int32", "positive": "boolean"}
    pd.DataFrame(rows, columns=columns).astype(types).to_parquet(table)
    return Shown(masks, table)


class TestSequences:
    def test_masks_after_some_clicks_with_iou_and_clicks(self, tmp_path: Path) -> None:
        own = results([scored("low"), scored("loft")])
        figure = click_sequences_figure(own, {key(name): written(tmp_path, name) for name in ("low", "loft")})
        check_apart(figure)
        assert len(pictures(figure)) == 2 * 5  # truth, then 1, 2, 3 and the last of 5 clicks
        texts = [text.get_text() for text in figure.texts]
        assert "photos, one, object 2: DINO, late" in texts
        assert texts.count("2 clicks\nIoU 40.0") == texts.count("5, ended at 3\nIoU 60.0") == 2
        third = pictures(figure)[3].lines
        assert [(*line.get_xdata(), *line.get_ydata()) for line in third] == [(2, 1), (4, 2), (6, 3)]
        assert [line.get_markerfacecolor() for line in third] == [POSITIVE, NEGATIVE, POSITIVE]

    def test_not_all_objects_have_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(click_sequences, "MOST_ROWS", 2)
        ids = tuple("abcd")
        figure = click_sequences_figure(results([scored("low")]), {key("low"): written(tmp_path, "low", ids)})
        assert len(pictures(figure)) == 5 * 2
        assert "Not shown: 2 blocks" in figure.texts[-1].get_text()

    def test_a_row_of_rounds_is_missing(self, tmp_path: Path) -> None:
        files = {key("low"): written(tmp_path, "low", rounds=2)}
        with pytest.raises(ReportingError, match="one has 3 masks, and 2 clicks"):
            click_sequences_figure(results([scored("low")]), files)

    def test_no_object_is_no_picture(self, tmp_path: Path) -> None:
        with pytest.raises(ReportingError, match="none of the shown images has an object"):
            click_sequences_figure(results([scored("low")]), {key("low"): written(tmp_path, "low", ())})

    def test_masks_have_a_white_rim_and_the_size_of_the_image(self) -> None:
        image, mask = np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), bool)
        mask[1:4, 1:4] = True
        made = painted(image, mask)
        assert (made[1, 1] == 255).all()
        assert made[2, 2].tolist() == [0, 63, 98]
        assert (made[0] == 0).all()
        with pytest.raises(ReportingError, match=r"mask of \(4, 5\) does not fit the image of \(5, 5\)"):
            painted(image, mask[:4])


class TestMaps:
    def maps(self, path: Path, size: tuple[int, int] = SIZE, **more: np.ndarray) -> dict[str, Path]:
        with h5py.File(path, "w") as file:
            file.attrs["ids"] = json.dumps(["one", "two"])
            for image_id in ("one", "two"):
                group = file.create_group(image_id)
                group["image"] = np.zeros((*size, 3), np.uint8)
                group["low-res"] = np.zeros((3, 2, 3), np.float16)
                for name, colors in more.items():
                    group[name] = colors
            file["one"].attrs["first_click"] = (4, 7)
            file["one"].attrs["undefined"] = json.dumps({"flat": "map_too_small"})
        return {"dino": path}

    def test_a_row_an_image_and_a_column_an_upsampler(self, tmp_path: Path) -> None:
        colors = np.random.default_rng(0).uniform(0, 1, (3, 6, 10)).astype(np.float16)
        maps = self.maps(tmp_path / "maps.h5", loft=colors, low=colors)
        figure = upsampled_maps_figure(maps, ENCODERS, UPSAMPLERS)
        check_apart(figure)
        shown = [text.get_text() for text in figure.texts]
        assert shown[:2] == ["DINO · untrained", "one"]
        assert shown[2:6] == ["image", "low-res", "bilinear", "LoftUp"]  # "low" is low-res itself
        assert len(pictures(figure)) == 2 * 4
        image, _, flat, loft = pictures(figure)[:4]
        assert [(*line.get_xdata(), *line.get_ydata()) for line in image.lines] == [(7, 4)]
        assert flat.texts[0].get_text().replace("\n", " ") == "undefined: map too small"
        drawn = loft.images[0].get_array()
        assert drawn.shape == (*SIZE, 3)
        assert np.array_equal(drawn[3, 5], colors[:, 1, 2].astype(np.float32))

    def test_tall_images_and_many_upsamplers_have_room(self, tmp_path: Path) -> None:
        colors = np.zeros((3, 4, 4), np.float16)
        many = {f"up{index}": {"label": f"A long name {index}", "architecture": "x"} for index in range(9)}
        maps = self.maps(tmp_path / "maps.h5", (60, 8), **dict.fromkeys(many, colors))
        check_apart(upsampled_maps_figure(maps, ENCODERS, many))

    @pytest.mark.parametrize("wrong", [np.zeros((2, 4, 4)), np.full((3, 4, 4), np.nan)])
    def test_maps_that_are_no_colours_are_refused(self, tmp_path: Path, wrong: np.ndarray) -> None:
        maps = self.maps(tmp_path / "maps.h5", loft=wrong)
        with pytest.raises(ReportingError, match="/one, loft: expected finite colours"):
            upsampled_maps_figure(maps, ENCODERS, UPSAMPLERS)


def test_nothing_is_no_figure() -> None:
    with pytest.raises(ReportingError, match="there is no picture"):
        picture_grid([])
