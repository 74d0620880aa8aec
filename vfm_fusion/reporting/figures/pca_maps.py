"""Feature maps as colours: their first three principal components (the paper's Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfm_fusion.metrics.component_colors import COMPONENTS, component_colors, signs
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage, feature_grid, say_undefined
from vfm_fusion.reporting.labels import EncoderLabels
from vfm_fusion.reporting.style import styled

PERCENTILES = (1.0, 99.0)
"""Scores between these percentiles span the range of a colour channel."""


@styled
def pca_maps_figure(images: Sequence[ProfiledImage], labels: EncoderLabels) -> Figure:
    """Draws the PCA colours of every encoder at every stride beside the image.

    Args:
        images: images with their features.
        labels: names in print; their order is the order of the rows.

    Raises:
        ReportingError: images that do not belong into one figure.
    """
    return feature_grid(images, labels, _draw)


def pca_colors(features: np.ndarray) -> np.ndarray | str:
    """Maps features to RGB by exact PCA of the z-scored channels of this map.

    Each component is scaled so that its 1st and 99th percentile become 0 and 1, and signed so that its score
    of largest magnitude is positive. A component that a map lacks (fewer than three channels or pixels, or no
    variance) is 0.5 everywhere. Colours of different maps are not comparable.

    Args:
        features: ``(C, h, w)`` float.

    Returns:
        ``(h, w, 3)`` float32 in [0, 1], or the reason why the map has no components.
    """
    feature_map = FeatureMap(torch.from_numpy(np.ascontiguousarray(features)))
    if feature_map.reason is not None:
        return feature_map.reason
    count = min(COMPONENTS, features.shape[0], feature_map.pixels)
    scores = feature_map.tokens.components(count).numpy()  # (count, h*w)
    colors = component_colors(scores * signs(scores)[:, None], PERCENTILES)
    return colors.T.reshape(feature_map.height, feature_map.width, COMPONENTS)


def _draw(axes: Axes, image: np.ndarray, features: np.ndarray) -> None:
    colors = pca_colors(features)
    if isinstance(colors, str):
        say_undefined(axes, colors)
    else:
        axes.imshow(colors, aspect="auto")
