"""The figure of sweeps: one panel a setting, one line an encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sensitivity_results as results
from matplotlib.figure import Figure

from vfm_fusion.reporting.figures.sensitivity import sensitivity_figure
from vfm_fusion.reporting.sensitivity import Sensitivity, read_sweeps, sensitivity_of
from vfm_fusion.reporting.style import PAGE_WIDTH, save_figure, series_styles, style

SC_SETTINGS = (
    *("sfc_cells", "grid", "cell_pixels", "l2_clip"),
    *("pca_dims", "clusters", "max_points", "n_init", "seed"),
)


@pytest.fixture
def swept(tmp_path: Path) -> Sensitivity:
    return sensitivity_of(read_sweeps(results.write_sweeps(tmp_path)), "semantic", "ef")


@pytest.fixture
def figure(swept: Sensitivity) -> Figure:
    return sensitivity_figure(swept, results.LABELS)


def test_every_setting_has_a_panel_below_its_score(figure: Figure) -> None:
    upper, lower = figure.subfigs
    assert [axes.get_title() for axes in upper.axes] == ["SFC: grid", "SFC: l2_clip"]
    assert [axes.get_title() for axes in lower.axes] == ["SP: tau", "SP: gamma"]
    assert [tick.get_text() for tick in lower.axes[1].get_xticklabels()] == ["1/128", "1/64"]
    assert upper.axes[0].get_ylabel() == "SC level"
    assert lower.axes[0].get_ylabel() == "EF level"
    assert lower.axes[0].get_ylim() == lower.axes[1].get_ylim()


def test_lines_are_the_levels_in_the_encoders_colours(swept: Sensitivity, figure: Figure) -> None:
    looks = series_styles(list(results.LABELS))
    for part, score in zip(figure.subfigs, ("sc", "ef"), strict=True):
        for axes, effects in zip(part.axes, swept.of(score).values(), strict=True):
            for line, encoder in zip(axes.lines[::2], results.LABELS, strict=True):
                np.testing.assert_equal(line.get_ydata(), [e.levels[score][encoder] for e in effects])
                assert line.get_color() == looks[encoder].color


def test_the_band_marks_the_baseline(figure: Figure) -> None:
    for axes, position in zip(
        (axes for part in figure.subfigs for axes in part.axes), (0, 0, 1, 1), strict=True
    ):
        (band,) = axes.patches
        assert band.get_x() + band.get_width() / 2 == pytest.approx(position)


def test_a_level_over_other_strides_is_hollow(figure: Figure) -> None:
    grid, clip = figure.subfigs[0].axes
    assert [list(line.get_xdata()) for line in grid.lines[1::2]] == [[1]] * 3
    assert {line.get_markerfacecolor() for line in grid.lines[1::2]} == {"white"}
    assert all(np.isnan(line.get_ydata()).all() for line in clip.lines[1::2])
    assert all(len(line.get_xdata()) == 0 for axes in figure.subfigs[1].axes for line in axes.lines[1::2])


def test_the_legend_names_encoders_images_and_changes(figure: Figure) -> None:
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "DINO · untrained (seeded)",
        "SAM · untrained (seeded)",
        "SWIN · untrained (seeded)",
        "baseline",
        "over other strides",
    ]
    title = legend.get_title().get_text().replace("\n", " ")
    assert "n = 2 images" in title
    assert "The SC order of the encoders is unchanged in 0 of 2 variants; it changes for grid = 8" in title


def test_files_are_deterministic_and_as_wide_as_a_page(swept: Sensitivity, tmp_path: Path) -> None:
    for name in ("a", "b"):
        figure = sensitivity_figure(swept, results.LABELS)
        assert figure.get_size_inches()[0] == pytest.approx(PAGE_WIDTH)
        save_figure(figure, pdf=tmp_path / f"{name}.pdf", png=tmp_path / f"{name}.png", dpi=60)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_many_settings_and_encoders_fit(tmp_path: Path) -> None:
    """Nine SC panels need three rows; their frames stay apart."""
    frames = {}
    for encoder in results.OWN:
        frame = results.sweep(encoder)
        copies = [frame[frame["setting"] == "grid"].assign(setting=name) for name in SC_SETTINGS]
        path = tmp_path / f"{encoder}.parquet"
        frames[encoder] = path
        pd.concat(copies).to_parquet(path)
    swept = sensitivity_of(read_sweeps(frames), "semantic", "ef")
    figure = sensitivity_figure(swept, results.LABELS)
    with style():
        figure.draw_without_rendering()
        panels = [axes.get_tightbbox() for axes in figure.subfigs[0].axes]
    assert len(panels) == len(SC_SETTINGS) == 9
    assert not any(a.overlaps(b) for i, a in enumerate(panels) for b in panels[:i])
