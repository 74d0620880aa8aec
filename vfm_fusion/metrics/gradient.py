"""The gradient magnitude G of a feature map, which EC and NC count."""

from __future__ import annotations

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import edge_mask, unit_gradient
from vfm_fusion.metrics.sobel import sobel_magnitude


def feature_gradient(features: FeatureMap, config: MetricConfig) -> Tensor:
    """Returns the gradient magnitude G of a feature map, ``(H, W)`` float32.

    ``pca1``: Sobel magnitude of the first principal component map (paper, Sec. 3.2.2); ``channels``: of all
    z-scored channels together (released profiling code). With ``feature_quantile``, G is 0 but for that share
    of the valid pixels where it is strongest.
    """
    if config.gradient == "pca1":
        gradient = sobel_magnitude(features.first_component)
    else:
        gradient = features.channel_gradient()
    if config.feature_quantile is None:
        return gradient
    unit = unit_gradient(gradient)
    return gradient * 0 if unit is None else gradient * edge_mask(unit, config.feature_quantile)
