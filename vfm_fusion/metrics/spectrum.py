"""Frequency Content (FC, Eq. 6): the share of spectral energy above a low-frequency threshold."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.gradient import feature_gradient
from vfm_fusion.metrics.image_edges import EdgeRegions
from vfm_fusion.metrics.reasons import Score, undefined


def power_spectrum(plane: Tensor) -> Tensor:
    """Returns |FFT2(w w^T * map)|^2 with symmetric Hann windows w, ``(H, W)`` float64, DC first."""
    window_y, window_x = (
        torch.hann_window(side, periodic=False, dtype=torch.float64, device=plane.device)
        for side in plane.shape
    )
    windowed = plane.double() * window_y[:, None] * window_x[None, :]
    return torch.fft.fft2(windowed).abs().square_()


def radial_frequency(height: int, width: int, kind: str = "fft") -> Tensor:
    """Returns the normalised radial frequency rho of every bin of the spectrum, ``(H, W)`` float64 in [0, 1].

    Args:
        height: H.
        width: W.
        kind: ``fft``: rho = sqrt((2 f_y)^2 + (2 f_x)^2) / sqrt(2) with the exact FFT frequencies f in cycles
            per pixel, so that 1 is the corner of the Nyquist square. ``linspace``: the released code's
            sqrt(y^2 + x^2) / max with y, x = linspace(-1, 1) over the spectrum shifted by half its size;
            for even sizes it puts DC half a bin off its zero.
    """
    if kind == "fft":
        y, x = (2 * torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
        rho = (y[:, None].square() + x[None, :].square()).sqrt()
        return rho / math.sqrt(2)
    y, x = (torch.linspace(-1, 1, side, dtype=torch.float64) for side in (height, width))
    rho = (y[:, None].square() + x[None, :].square()).sqrt()
    return (rho / rho.max()).roll((-(height // 2), -(width // 2)), dims=(0, 1))


def lowest_frequency(height: int, width: int, config: MetricConfig) -> float:
    """Returns the rho from which on FC counts energy.

    ``fixed``: rho_low. ``resolvable``: at least 2 cycles per shorter side, 2 sqrt(2) / min(H, W); what is
    lower lies in the main lobe of the window and cannot be told from a mean.
    """
    if config.fc_band == "fixed":
        return config.rho_low
    return max(config.rho_low, 2 * math.sqrt(2) / min(height, width))


def frequency(features: FeatureMap, regions: EdgeRegions | str, config: MetricConfig) -> Score:
    """Computes fc of one image.

    With ``fc_band="resolvable"``, a repeated map has no energy beyond the Nyquist frequency of what was
    repeated: the block borders are there, but no feature put them. With ``yardstick="image"``, FC is divided
    by that of the image's own gradient at the same size, and at most 1: features cannot be expected to be
    sharper than the image, and gain nothing by it.

    Args:
        features: the map.
        regions: the image's edges at the size of the map, or why it has none (read with the yardstick only).
        config: the definition.
    """
    plane = spectrum_plane(features, config)
    if plane is None:
        return undefined(reasons.CONSTANT_L2)
    rho = lowest_frequency(features.height, features.width, config)
    highest = 0.5 / features.repeat if config.fc_band == "resolvable" else 0.5
    score = frequency_content(plane, rho, config.fc_radius, highest)
    if config.yardstick == "none" or score.reason is not None:
        return score
    if isinstance(regions, str):
        return undefined(regions)
    image = frequency_content(regions.gradient - regions.gradient.mean(), rho, config.fc_radius)
    if image.reason is not None or image.value == 0.0:
        return undefined(image.reason or reasons.NO_SPECTRUM)
    return Score(min(1.0, score.value / image.value))


def spectrum_plane(features: FeatureMap, config: MetricConfig) -> Tensor | None:
    """Returns the plane whose spectrum FC looks at, ``(H, W)`` of mean 0; None if the L2 norm is constant.

    ``fc_map`` names it; ``fc_clip`` limits it to so many sample standard deviations of the z-scored plane.
    """
    if config.fc_map == "l2":
        plane = features.l2
    elif config.fc_map == "gradient":
        gradient = feature_gradient(features, config).double()
        plane = gradient - gradient.mean()
    else:
        component = features.first_component.double()
        plane = (component - component.mean()) / component.std(correction=0)
    if plane is None or config.fc_clip is None:
        return plane
    return clip_deviations(plane / plane.std(correction=0), config.fc_clip)


def clip_deviations(plane: Tensor, limit: float) -> Tensor:
    """Clips a (population) z-scored plane to plus/minus ``limit`` sample standard deviations."""
    bound = limit * math.sqrt(plane.numel() / (plane.numel() - 1))
    return plane.clamp(-bound, bound)


def frequency_content(plane: Tensor, rho_low: float, radius: str = "fft", highest: float = 0.5) -> Score:
    """Computes FC = sum P[rho >= rho_low] / sum P (Eq. 6).

    Args:
        plane: ``(H, W)`` of mean 0.
        rho_low: threshold on the normalised radial frequency (.15 in the released code).
        radius: kind of :func:`radial_frequency`.
        highest: |f_y| and |f_x| up to which energy counts, in cycles per pixel; .5 is all of it.

    Returns:
        FC in [0, 1]; higher means more mid and high frequencies.
    """
    if min(plane.shape) < 3:
        return undefined(reasons.TOO_FEW_PIXELS)
    power = power_spectrum(plane)
    total = float(power.sum())
    if total == 0.0:
        return undefined(reasons.NO_SPECTRUM)
    counted = radial_frequency(*plane.shape, kind=radius) >= rho_low
    y, x = (torch.fft.fftfreq(side, dtype=torch.float64).abs() <= highest for side in plane.shape)
    counted &= y[:, None] & x[None, :]
    return Score(float(power[counted.to(plane.device)].sum()) / total)
