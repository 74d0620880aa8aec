"""Gradient energy of feature maps and the image edges it is measured against (the paper's Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.gradient import feature_gradient
from vfm_fusion.metrics.image_edges import edge_regions
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage, feature_grid, say_undefined
from vfm_fusion.reporting.labels import EncoderLabels
from vfm_fusion.reporting.style import styled

PERCENTILE = 99.0
"""Energy at this percentile of a map is the brightest colour."""
EDGE_COLOR = "#56B4E9"


@styled
def energy_maps_figure(
    images: Sequence[ProfiledImage], labels: EncoderLabels, definition: MetricConfig
) -> Figure:
    """Draws the gradient G that EC and NC count, with the outline of the edge core A_in on top.

    EC is the share of the drawn energy that lies inside the outlines.

    Args:
        images: images with their features.
        labels: names in print; their order is the order of the rows.
        definition: the metric definition that the profiles were computed with.

    Raises:
        ReportingError: images that do not belong into one figure.
    """

    def draw(axes: Axes, image: np.ndarray, features: np.ndarray) -> None:
        feature_map = FeatureMap(torch.from_numpy(np.ascontiguousarray(features)))
        size = (feature_map.height, feature_map.width)
        regions = edge_regions(_unit(image), size, definition)
        problem = feature_map.reason or (regions if isinstance(regions, str) else None)
        if problem is not None or isinstance(regions, str):
            say_undefined(axes, str(problem))
            return
        energy = feature_gradient(feature_map, definition).numpy()
        axes.imshow(energy, cmap="magma", vmin=0, vmax=np.percentile(energy, PERCENTILE), aspect="auto")
        axes.contour(regions.core.numpy(), levels=[0.5], colors=EDGE_COLOR, linewidths=0.35)

    return feature_grid(images, labels, draw)


def _unit(image: np.ndarray) -> torch.Tensor:
    """Turns ``(H, W, 3)`` uint8 into ``(1, 3, H, W)`` float32 in [0, 1]."""
    return unit_range(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None])
