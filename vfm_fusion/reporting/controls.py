"""What tables and figures need to know of the controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import ReportingError
from vfm_fusion.metrics.controls import CONTROLS, control_map
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.profiles.control_order import check_controls, control_means
from vfm_fusion.profiles.control_scores import control_seed
from vfm_fusion.reporting.image_scores import read_image_scores

NAMES = {
    "edges": "image edges",
    "blurred": "blurred edges",
    "smooth": "smooth regions",
    "noise": "white noise",
    "shuffled": "shuffled edges",
    "constant": "constant",
}
"""The controls in print."""

EXAMPLE_STRIDE = 8
"""The example is shown at the profiled stride that is nearest to this one."""


@dataclass(frozen=True)
class Controls:
    """The controls of a data set as every definition scores them.

    Attributes:
        images: ids of the images that they were made from.
        means: see :func:`~vfm_fusion.profiles.control_order.control_means`.
        checks: see :func:`~vfm_fusion.profiles.control_order.check_controls`.
    """

    images: tuple[str, ...]
    means: pd.DataFrame
    checks: pd.DataFrame

    @property
    def definitions(self) -> list[str]:
        """Names of the definitions, in their order."""
        return [str(name) for name in self.means["definition"].unique()]

    @property
    def strides(self) -> list[int]:
        """Output strides, ascending."""
        return sorted(int(stride) for stride in self.means["stride"].unique())

    def checks_of(self, definition: str, score: str, stride: int | None = None) -> pd.DataFrame:
        """Returns the checks of one definition and score, at one stride or at all."""
        own = self.checks[(self.checks["definition"] == definition) & (self.checks["score"] == score)]
        return own if stride is None else own[own["stride"] == stride]

    def mean(self, definition: str, score: str, stride: int, control: str) -> pd.Series:
        """Returns the row of ``means`` of one control."""
        key = {"definition": definition, "score": score, "stride": stride, "control": control}
        rows = self.means[(self.means[list(key)] == pd.Series(key)).all(axis=1)]
        return rows.iloc[0]


@dataclass(frozen=True)
class ControlExample:
    """The controls of one image, to look at.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        stride: output stride of the maps.
        maps: control -> first principal component ``(h, w)`` in [0, 1], the stronger features bright; None
            where there is none.
    """

    image: np.ndarray
    stride: int
    maps: Mapping[str, np.ndarray | None]


def read_controls(path: Path) -> Controls:
    """Reads what :func:`vfm_fusion.profiles.control_scores.score_controls` found (Parquet).

    Raises:
        ReportingError: a column, a control or a score of one is missing, or a row is there twice.
    """
    scores = read_image_scores(path, ["definition", "control"])
    return controls_of(scores, str(path))


def controls_of(scores: pd.DataFrame, where: str = "scores of controls") -> Controls:
    """Averages and checks the scores of controls.

    Raises:
        ReportingError: a control or a score of one is missing.
    """
    shown = scores[scores["score"].isin(["sc", "ef"])]
    counts = shown.groupby(["definition", "stride", "image_id"])[["control", "score"]].nunique()
    full = len(counts) and (counts["control"] == len(CONTROLS)).all() and (counts["score"] == 2).all()
    if not full or len(shown) != 2 * len(CONTROLS) * len(counts):
        raise ReportingError(f"{where}: SC or EF of some control is missing; score the controls again")
    images = tuple(str(image_id) for image_id in scores["image_id"].unique())
    return Controls(images, control_means(scores), check_controls(scores))


def load_example(controls: Controls, dataset: Dataset) -> ControlExample:
    """Makes the controls of the first scored image once more, to look at.

    Args:
        controls: says which images were scored, and at which strides.
        dataset: holds them.

    Raises:
        ReportingError: the data set lacks the image.
    """
    image_id = controls.images[0]
    if image_id not in dataset.ids:
        raise ReportingError(
            f"the controls were made from {image_id}, which the data set lacks; score them again"
        )
    image = dataset.image(dataset.ids.index(image_id))
    stride = min(controls.strides, key=lambda stride: abs(math.log2(stride / EXAMPLE_STRIDE)))
    tensor = torch.tensor(image).permute(2, 0, 1)[None]  # (1, 3, H, W)
    seed = control_seed(image_id)
    maps = {name: _component(FeatureMap(control_map(name, tensor, stride, seed))) for name in CONTROLS}
    return ControlExample(image, stride, maps)


def _component(features: FeatureMap) -> np.ndarray | None:
    """First principal component, signed so that it grows with the norm of the features."""
    if features.reason is not None:
        return None
    component = features.first_component.numpy()
    agreement = np.vdot(component - component.mean(), features.norms.numpy())
    return component if agreement >= 0 else 1 - component
