"""Figures of one encoder's profile: no pair was chosen, so nothing marks one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reporting_results as results
from matplotlib.figure import Figure
from matplotlib.text import Text

from vfm_fusion.reporting.figures.profiles import profiles_figure
from vfm_fusion.reporting.figures.sc_ef_plane import sc_ef_plane_figure
from vfm_fusion.reporting.render.figure_files import save_figure
from vfm_fusion.reporting.result_files import read_choice

pytestmark = pytest.mark.parametrize("draw", [profiles_figure, sc_ef_plane_figure])


def test_nothing_is_ringed(profiles: pd.DataFrame, draw: Callable[..., Figure]) -> None:
    alone = profiles[profiles["encoder"] == "mini_sam"]
    figure = draw(alone, results.LABELS, read_choice([], "photos", "paper"))
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert not [line for axes in figure.axes for line in axes.lines if line.get_markersize() == 11]
    assert not [text for text in texts if "injected" in text or "auxiliary" in text]
    assert "SAM mini · promptable masks, 240 images" in texts


def test_scores_that_are_undefined_everywhere(
    profiles: pd.DataFrame, draw: Callable[..., Figure], tmp_path: Path
) -> None:
    columns = dict.fromkeys(("mean", "ci_low", "ci_high"), np.nan)
    undefined = profiles[profiles["encoder"] == "mini_sam"].assign(**columns)
    figure = draw(undefined, results.LABELS, read_choice([], "photos", "paper"))
    save_figure(figure, pdf=tmp_path / "figure.pdf", png=tmp_path / "figure.png", dpi=50)
