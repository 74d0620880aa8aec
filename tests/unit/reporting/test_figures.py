"""The figures: axes hold the values they are given; files are deterministic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import reporting_results as results
from matplotlib.figure import Figure

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.datasets.base import Category
from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.figures.energy_maps import energy_maps_figure
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage
from vfm_fusion.reporting.figures.pca_maps import pca_colors, pca_maps_figure
from vfm_fusion.reporting.figures.profiles import profiles_figure
from vfm_fusion.reporting.figures.qualitative import Scene, Segmentation, paint, qualitative_figure
from vfm_fusion.reporting.figures.sc_ef_plane import sc_ef_plane_figure
from vfm_fusion.reporting.figures.stability import stability_figure
from vfm_fusion.reporting.figures.training_curves import Curve, training_curves_figure
from vfm_fusion.reporting.labels import CHOICE_PARTS
from vfm_fusion.reporting.render.figure_files import save_figure
from vfm_fusion.reporting.style import COLUMN_WIDTH, PAGE_WIDTH, series_styles

CATEGORIES = (
    Category(0, "road", False, (128, 64, 128)),
    Category(1, "car", True, (0, 0, 142)),
    Category(2, "sky", False, (70, 130, 180)),
)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def photo(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (64, 128, 3), np.uint8)
    image[20:50, 30:90] += 150
    return image


def profiled(seed: int = 0) -> ProfiledImage:
    rng = np.random.default_rng(seed)
    maps = {
        encoder: {stride: rng.normal(size=(8, 64 // stride, 128 // stride)) for stride in (4, 8, 16)}
        for encoder in ("mini_dino", "swin")
    }
    return ProfiledImage(photo(seed), maps)


def scene() -> Scene:
    semantic = np.zeros((64, 128), np.uint8)
    semantic[20:50, 30:90] = 1
    segments = np.zeros((64, 128), np.int32)
    segments[20:50, 30:60] = 1
    segments[20:50, 60:90] = 2
    truth = Segmentation(semantic, segments)
    return Scene(photo(), truth, {"Swin": Segmentation(semantic, None), "Ours": truth})


def curve(run: str, seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    metrics = pd.DataFrame({"step": [20, 40, 60], "loss": rng.uniform(5, 9, 3), "lr": 1e-4})
    return Curve(run, f"{run} FT", seed, metrics)


class TestProfiles:
    def test_lines_and_bars_are_the_profiles(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        figure = profiles_figure(profiles, results.LABELS, selection)
        panels = [(name, score) for name in ("paper", "calibrated") for score in ("sc", "ef")]
        for axes, (definition, score) in zip(figure.axes, panels, strict=True):
            assert axes.get_title(loc="left") == f"definition '{definition}'"
            for container, encoder in zip(axes.containers, results.LABELS, strict=True):
                own = (profiles["definition"] == definition) & (profiles["encoder"] == encoder)
                rows = profiles[own & (profiles["score"] == score)]
                line, _, (bars,) = container.lines
                np.testing.assert_allclose(line.get_ydata(), rows["mean"])
                np.testing.assert_allclose(line.get_xdata(), rows["stride"], rtol=0.05)
                ends = np.array([segment[:, 1] for segment in bars.get_segments() if len(segment)])
                defined = rows.dropna(subset=["mean"])
                np.testing.assert_allclose(ends, defined[["ci_low", "ci_high"]])
            assert axes.get_xscale() == "log"
        for axes in figure.axes[2:]:
            assert [tick.get_text() for tick in axes.get_xticklabels()] == ["4", "8", "16", "32"]

    def test_null_floors_are_dashed_in_the_encoders_colour(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        figure = profiles_figure(profiles, results.LABELS, selection)
        looks = series_styles(list(results.LABELS))
        for axes, level in zip(figure.axes, (0.4, 3.0, 0.0, 0.0), strict=True):
            dashed = [line for line in axes.lines if line.is_dashed()]
            assert [line.get_color() for line in dashed] == [look.color for look in looks.values()]
            for line in dashed:
                np.testing.assert_allclose(line.get_ydata(), level)
                low, high = axes.get_ylim()
                assert low < level < high
        name = "null floor (pixels in random order)"
        assert [text.get_text() for text in figure.legends[0].get_texts()].count(name) == 1
        without = profiles[~profiles["score"].isin(list(results.NULLS))]
        assert name not in texts(profiles_figure(without, results.LABELS, selection))

    def test_ring_is_on_the_definition_that_chose(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        for definition, level in (("paper", 24.64), ("calibrated", 12.32)):
            figure = profiles_figure(profiles, results.LABELS, selection | {"definition": definition})
            rings = [
                (index, line)
                for index, axes in enumerate(figure.axes)
                for line in axes.lines
                if line.get_markersize() == 11
            ]
            ((panel, ring),) = rings
            assert panel == 1
            assert ring.get_ydata()[0] == pytest.approx(level)

    def test_legend_names_pretraining_and_images(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        shown = texts(profiles_figure(profiles, results.LABELS, selection))
        assert "Swin · untrained (seeded)" in shown
        assert "Mean and 95 % bootstrap interval, n = 80 images" in shown
        assert "injected at OS 16" in shown


def by_paper(profiles: pd.DataFrame) -> pd.Series:
    rows = profiles[profiles["definition"] == "paper"]
    return rows.set_index(["encoder", "stride", "score"])["mean"]


class TestStability:
    def test_lines_are_subsets_and_hollow_points_are_resamples(self) -> None:
        stability = results.stability()
        axes = stability_figure(stability).axes[0]
        lines = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 6]
        hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
        resamples, *subsets = stability["repetitions"]
        for part, line, point in zip(CHOICE_PARTS, lines, hollow, strict=True):
            np.testing.assert_allclose(line.get_ydata(), [100 * r["agreement"][part] for r in subsets])
            np.testing.assert_allclose(point.get_ydata(), [100 * resamples["agreement"][part]])
        ticks = [tick.get_text() for tick in axes.get_xticklabels()]
        assert ticks == ["2", "4", "8", "16", "32", "64", "80\nresampled"]

    def test_one_image_is_unknown(self) -> None:
        shown = texts(stability_figure(results.stability(1)))
        assert "1\nresampled" in shown
        assert "unknown" in shown


class TestPlane:
    def test_points_are_sc_and_ef_of_defined_strides(
        self, profiles: pd.DataFrame, selection: dict[str, Any]
    ) -> None:
        axes = sc_ef_plane_figure(profiles, results.LABELS, selection).axes[0]
        values = by_paper(profiles)
        for container, encoder in zip(axes.containers, results.LABELS, strict=True):
            strides = (4, 8, 16) if encoder == "swin" else (4, 8, 16, 32)
            x, y = container.lines[0].get_data()
            np.testing.assert_allclose(x, [values[encoder, stride, "sc"] for stride in strides])
            np.testing.assert_allclose(y, [values[encoder, stride, "ef"] for stride in strides])

    def test_ring_is_on_the_chosen_stride(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        axes = sc_ef_plane_figure(profiles, results.LABELS, selection).axes[0]
        (ring,) = [line for line in axes.lines if line.get_markersize() == 11]
        values = by_paper(profiles)
        assert ring.get_xdata()[0] == pytest.approx(values["mini_sam", 16, "sc"])
        assert ring.get_ydata()[0] == pytest.approx(values["mini_sam", 16, "ef"])

    def test_legend_names_roles(self, profiles: pd.DataFrame, selection: dict[str, Any]) -> None:
        shown = texts(sc_ef_plane_figure(profiles, results.LABELS, selection))
        assert "master: DINO mini · self-distilled, 240 images" in shown
        assert "auxiliary: SAM mini · promptable masks, 240 images" in shown


class TestPca:
    def test_axis_aligned_components_are_found(self) -> None:
        rng = np.random.default_rng(0)
        base = rng.normal(size=(3, 16, 32))
        mixing = rng.normal(size=(12, 3)) * [8.0, 3.0, 1.0]
        features = np.tensordot(mixing, base, 1)  # (12, 16, 32)
        colors = pca_colors(features)
        assert colors.shape == (16, 32, 3)
        assert colors.dtype == np.float32
        z = features.reshape(12, -1)
        z = (z - z.mean(1, keepdims=True)) / (z.std(1, keepdims=True) + 1e-6)
        _, _, components = np.linalg.svd(z, full_matrices=False)
        for channel in range(3):
            mine, reference = colors[..., channel].ravel(), components[channel]
            inside = (mine > 0) & (mine < 1)
            assert abs(np.corrcoef(mine[inside], reference[inside])[0, 1]) > 0.99999

    def test_range_scaling_and_sign_do_not_depend_on_the_input_sign(self) -> None:
        features = np.random.default_rng(1).normal(size=(6, 8, 8))
        colors = pca_colors(features)
        assert colors.min() == 0
        assert colors.max() == 1
        np.testing.assert_allclose(pca_colors(-features), colors, atol=1e-4)

    def test_missing_components_are_grey(self) -> None:
        ramp = np.linspace(0, 1, 64).reshape(1, 8, 8)
        colors = pca_colors(np.concatenate([ramp, 2 * ramp, -ramp, ramp + 3]))
        assert np.ptp(colors[..., 0]) == 1
        assert (colors[..., 1:] == 0.5).all()

    def test_constant_and_broken_maps_say_why(self) -> None:
        assert isinstance(pca_colors(np.ones((4, 8, 8))), str)
        assert isinstance(pca_colors(np.full((4, 8, 8), np.nan)), str)
        image = ProfiledImage(photo(), {"swin": {4: np.ones((4, 16, 32))}})
        assert any(text.startswith("undefined:") for text in texts(pca_maps_figure([image], results.LABELS)))

    def test_grid_shows_every_map_and_labels(self) -> None:
        figure = pca_maps_figure([profiled(0), profiled(1)], results.LABELS)
        shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
        assert len(shown) == 2 * (1 + 2 * 3)
        expected = pca_colors(profiled(1).features["swin"][16])
        assert any(a.shape == expected.shape and np.array_equal(a, expected) for a in shown)
        assert {"OS 4", "OS 8", "OS 16", "image"} <= set(texts(figure))
        assert any("untrained\n(seeded)" in t or "untrained (seeded)" in t for t in texts(figure))

    def test_different_images_are_refused(self) -> None:
        other = ProfiledImage(photo(), {"swin": profiled().features["swin"]})
        with pytest.raises(ReportingError, match="different encoders or strides"):
            pca_maps_figure([profiled(), other], results.LABELS)
        with pytest.raises(ReportingError, match="no image"):
            pca_maps_figure([], results.LABELS)


def test_energy_map_is_the_gradient_that_edge_fidelity_sums() -> None:
    import torch

    from vfm_fusion.metrics.feature_map import FeatureMap
    from vfm_fusion.metrics.sobel import sobel_magnitude

    figure = energy_maps_figure([profiled()], results.LABELS, MetricConfig())
    features = torch.from_numpy(profiled().features["mini_dino"][4])
    expected = sobel_magnitude(FeatureMap(features).first_component).numpy()
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert any(array.shape == expected.shape and np.allclose(array, expected) for array in shown)


class TestQualitative:
    def test_colours_borders_and_void(self) -> None:
        image = np.full((4, 6, 3), 100, np.uint8)
        semantic = np.zeros((4, 6), np.uint8)
        semantic[:, 3:] = 1
        semantic[0, 0] = 255
        painted = paint(image, Segmentation(semantic, None), CATEGORIES)
        np.testing.assert_array_equal(painted[2, 0], np.round(0.7 * np.array([128, 64, 128]) + 30))
        np.testing.assert_array_equal(painted[2, 5], np.round(0.7 * np.array([0, 0, 142]) + 30))
        np.testing.assert_array_equal(painted[0, 0], [30, 30, 30])
        objects = paint(image, Segmentation(semantic, None, void_shown=True), CATEGORIES)
        np.testing.assert_array_equal(objects[0, 0], [100, 100, 100])
        np.testing.assert_array_equal(objects[1:], painted[1:])
        outlined = paint(image, Segmentation(semantic, (semantic == 1).astype(np.int32)), CATEGORIES)
        assert (outlined[:, 2:4] == 255).all()
        np.testing.assert_array_equal(outlined[:, [0, 1, 4, 5]], painted[:, [0, 1, 4, 5]])

    def test_layout_and_legend(self) -> None:
        runs = {"Swin": "Swin", "Ours": "A FT + B FZ at OS 16"}
        figure = qualitative_figure(
            [scene(), scene()], CATEGORIES, runs, ["A: untrained (seeded)", "B: scenes"]
        )
        assert len([axes for axes in figure.axes if axes.images]) == 2 * 4
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        assert legend == ["road", "car"]
        titles = [axes.get_title() for axes in figure.axes[:4]]
        assert titles == ["image", "ground truth", "Swin", "Ours\nA FT +\nB FZ at OS 16"]
        assert "A: untrained (seeded). B: scenes" in texts(figure)

    def test_what_is_missing_or_foreign_is_refused(self) -> None:
        with pytest.raises(ReportingError, match=r"runs \['DINO'\] have no prediction"):
            qualitative_figure([scene()], CATEGORIES, {"DINO": ""})
        foreign = Scene(photo(), Segmentation(np.full((64, 128), 9, np.uint8), None), {})
        with pytest.raises(ReportingError, match=r"ground truth: train ids \[9\]"):
            qualitative_figure([foreign], CATEGORIES, {})
        small = Scene(photo(), Segmentation(np.zeros((8, 8), np.uint8), None), {})
        with pytest.raises(ReportingError, match="does not fit the image"):
            qualitative_figure([small], CATEGORIES, {})


class TestTrainingCurves:
    def test_lines_are_the_losses(self) -> None:
        curves = [curve("Swin", 0), curve("Ours", 1)]
        axes = training_curves_figure(curves).axes[0]
        for line, drawn in zip(axes.lines, curves, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), drawn.metrics["loss"])
            np.testing.assert_array_equal(line.get_xdata(), drawn.metrics["step"])
        assert axes.lines[0].get_color() != axes.lines[1].get_color()
        assert not axes.collections
        assert "seeds" not in axes.get_ylabel()

    def test_seeds_are_a_mean_in_their_range(self) -> None:
        curves = [curve("Swin", 0), curve("Swin", 1), curve("Swin", 2), curve("Ours", 0)]
        axes = training_curves_figure(curves).axes[0]
        losses = np.stack([curve("Swin", seed).metrics["loss"] for seed in range(3)])  # (seeds, steps)
        np.testing.assert_allclose(axes.lines[0].get_ydata(), losses.mean(axis=0))
        (band,) = axes.collections
        corners = {tuple(point) for point in band.get_paths()[0].vertices.round(6)}
        for step, low, high in zip((20, 40, 60), losses.min(axis=0), losses.max(axis=0), strict=True):
            assert {(step, round(low, 6)), (step, round(high, 6))} <= corners
        assert "mean and range of the seeds" in axes.get_ylabel()

    def test_the_legend_names_encoders_once_and_ends_with_the_notes(self) -> None:
        plain = Curve("Swin FT", "Swin FT", 0, curve("Swin", 0).metrics)
        figure = training_curves_figure([plain, curve("Ours", 0)], notes=["Swin: untrained (seeded)"])
        entries = [text.get_text() for text in figure.legends[0].get_texts()]
        assert entries == ["Swin FT", "Ours:\nOurs FT", "Swin: untrained (seeded)"]

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_non_finite_loss_is_refused(self, bad: float) -> None:
        broken = curve("Swin", 3)
        broken.metrics.loc[1, "loss"] = bad
        with pytest.raises(ReportingError, match=r"'Swin', seed 3: .* not finite"):
            training_curves_figure([broken])

    def test_missing_column_is_refused(self) -> None:
        with pytest.raises(ReportingError, match=r"columns \['loss'\] are missing"):
            training_curves_figure([Curve("Swin", "", 0, pd.DataFrame({"step": [1]}))])


def all_figures(folder: Path) -> dict[str, Figure]:
    from vfm_fusion.reporting.result_files import read_profiles, read_selection

    profiles = read_profiles(results.write_profiles(folder))
    selection = read_selection(results.write_selection(folder))
    return {
        "profiles": profiles_figure(profiles, results.LABELS, selection),
        "sc_ef_plane": sc_ef_plane_figure(profiles, results.LABELS, selection),
        "stability": stability_figure(results.stability()),
        "pca_maps": pca_maps_figure([profiled()], results.LABELS),
        "energy_maps": energy_maps_figure([profiled()], results.LABELS, MetricConfig()),
        "qualitative": qualitative_figure([scene()], CATEGORIES, {"Swin": "", "Ours": ""}),
        "training_curves": training_curves_figure([curve("Swin", 0)]),
    }


def save_three(folder: Path) -> None:
    """Saves a plot, a grid of maps and a grid of pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = all_figures(folder)
    for name in ("profiles", "pca_maps", "qualitative"):
        figure = figures[name]
        save_figure(figure, pdf=folder / f"{name}.pdf", png=folder / f"{name}.png", dpi=60)


def test_bytes_do_not_depend_on_process_time_or_hash_seed(tmp_path: Path) -> None:
    save_three(tmp_path / "one")
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; "
    code += f"from test_figures import save_three; save_three(Path({str(tmp_path / 'two')!r}))"
    environment = {
        "PYTHONHASHSEED": "123",
        "PATH": "/usr/bin:/bin",
        "SOURCE_DATE_EPOCH": "1",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=Path(__file__).parents[3])
    names = sorted(path.name for path in (tmp_path / "one").iterdir() if path.suffix in (".pdf", ".png"))
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_pdf_embeds_truetype_and_holds_no_date(tmp_path: Path) -> None:
    figure = training_curves_figure([curve("Swin", 0)])
    save_figure(figure, pdf=tmp_path / "x.pdf", png=tmp_path / "x.png", dpi=60)
    content = (tmp_path / "x.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert b"/Subtype /Type3" not in content
    assert b"CreationDate" not in content


def test_figures_have_print_widths(tmp_path: Path) -> None:
    widths = {name: figure.get_size_inches()[0] for name, figure in all_figures(tmp_path).items()}
    assert {widths.pop("sc_ef_plane"), widths.pop("stability")} == {COLUMN_WIDTH}
    assert set(widths.values()) == {PAGE_WIDTH}


def test_callers_matplotlib_settings_are_neither_used_nor_changed(tmp_path: Path) -> None:
    save_figure(
        training_curves_figure([curve("Swin", 0)]), pdf=tmp_path / "a.pdf", png=tmp_path / "a.png", dpi=60
    )
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "lines.linewidth": 9}):
        save_figure(
            training_curves_figure([curve("Swin", 0)]), pdf=tmp_path / "b.pdf", png=tmp_path / "b.png", dpi=60
        )
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_series_looks_are_distinct() -> None:
    assert len(set(series_styles([str(index) for index in range(14)]).values())) == 14
