"""Spatial Precision (SP, Eq. 7): how soon a shifted map stops resembling itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.gradient import feature_gradient
from vfm_fusion.metrics.image_edges import EdgeRegions
from vfm_fusion.metrics.reasons import Score, undefined

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""(dy, dx) of one of each pair of the 8 directions; opposite ones correlate equally on their overlap."""

_VARIANCE_FLOOR = 1e-12


def shift_radii(height: int, width: int, max_shift: float, count: int) -> tuple[int, ...]:
    """Returns the shift radii in feature pixels, ascending.

    unique(round(logspace(0, log10(r_max), count))), r_max = floor(max_shift * min(H, W)); empty if r_max < 1.
    """
    r_max = math.floor(max_shift * min(height, width))
    if r_max < 1:
        return ()
    return tuple(int(r) for r in np.unique(np.round(np.logspace(0.0, math.log10(r_max), count))))


def shifted_correlation(plane: Tensor, dy: int, dx: int) -> float:
    """Returns the normalised cross-correlation of a map with itself shifted by (dy, dx).

    Pearson correlation of the overlap, in float64. It is 0 where either side of the overlap is constant, as
    the released code's guard against division by zero makes it.

    Args:
        plane: ``(H, W)`` float64.
        dy: rows, with |dy| < H.
        dx: columns, with |dx| < W.
    """
    height, width = plane.shape
    a = plane[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    b = plane[max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)]
    a = a - a.mean()
    b = b - b.mean()
    scale = float(a.square().mean() * b.square().mean())
    return float((a * b).mean()) / math.sqrt(scale) if scale > _VARIANCE_FLOOR**2 else 0.0


def correlation_curve(plane: Tensor, radii: tuple[int, ...]) -> Iterator[tuple[int, float]]:
    """Yields (radius, mean NCC over the 8 directions) for each of ``radii``, computed when asked for."""
    for radius in radii:
        correlations = [shifted_correlation(plane, radius * dy, radius * dx) for dy, dx in DIRECTIONS]
        yield radius, sum(correlations) / len(correlations)


def decorrelation_radius(plane: Tensor, config: MetricConfig) -> int | None:
    """Returns r_tau, the first shift radius whose mean NCC falls below ``config.tau``, else the last radius.

    Args:
        plane: ``(H, W)`` float64.
        config: ``tau``, ``max_shift`` and ``n_radii`` are read.

    Returns:
        Feature pixels, or None when the map is too small for a shift by 1.
    """
    radii = shift_radii(*plane.shape, config.max_shift, config.n_radii)
    below = (radius for radius, ncc in correlation_curve(plane, radii) if ncc < config.tau)
    return next(below, radii[-1] if radii else None)


def displacement_plane(features: FeatureMap, config: MetricConfig) -> Tensor | None:
    """Returns the plane that SP shifts against itself, ``(H, W)`` float64; None if the L2 norm is constant.

    ``l2``: the z-scored L2 map. ``l2_highpass``: the L2 map minus its zero-padded 3 x 3 mean, as the released
    code has it; the padding leaves most of the energy on the border, so that r_tau is nearly always 1.
    ``gradient``: the gradient that EC counts.
    """
    if config.sp_map == "gradient":
        return feature_gradient(features, config).double()
    if config.sp_map == "l2" or features.l2 is None:
        return features.l2
    norms = features.norms
    return norms - F.avg_pool2d(norms[None], 3, stride=1, padding=1)[0]


def spatial_precision(
    radius: int, map_size: tuple[int, int], image_size: tuple[int, int], config: MetricConfig
) -> float:
    """Returns SP = 1 / (1 + gamma * r_tau * s) (Eq. 7), in (0, 1); higher means sharper.

    s = (H0 / H + W0 / W) / 2 image pixels per feature pixel (1 with ``sp_stride="one"``); gamma = 1/64 per
    pixel in the released code.

    Args:
        radius: r_tau in feature pixels.
        map_size: (H, W) of the map.
        image_size: (H0, W0) of the image.
        config: ``sp_stride`` and ``gamma`` are read.
    """
    stride = (image_size[0] / map_size[0] + image_size[1] / map_size[1]) / 2
    return 1.0 / (1.0 + config.gamma * radius * (stride if config.sp_stride == "image" else 1.0))


def precision(
    features: FeatureMap, regions: EdgeRegions | str, image_size: tuple[int, int], config: MetricConfig
) -> Score:
    """Computes sp of one image.

    r_tau is that of :func:`displacement_plane`. With ``yardstick="image"`` it is at least that of the image's
    own gradient at the same size, and that of a repeated pixel: features gain nothing by being less
    correlated than the image's edges are, and are no more precise than their own grid.

    Args:
        features: the map.
        regions: the image's edges at the size of the map, or why it has none (read with the yardstick only).
        image_size: (H0, W0) of the image.
        config: the definition.
    """
    plane = displacement_plane(features, config)
    if plane is None:
        return undefined(reasons.CONSTANT_L2)
    radius = decorrelation_radius(plane, config) if min(plane.shape) >= 3 else None
    if radius is None:
        return undefined(reasons.TOO_FEW_PIXELS)
    if config.yardstick == "image":
        if isinstance(regions, str):
            return undefined(regions)
        own = decorrelation_radius(regions.gradient.double(), config) or 1
        radius = max(radius, own, features.repeat)
    return Score(spatial_precision(radius, (features.height, features.width), image_size, config))
