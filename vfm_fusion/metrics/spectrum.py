"""Frequency Content (FC, Eq. 6): the share of spectral energy above a low-frequency threshold."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.reasons import Score, undefined


def power_spectrum(plane: Tensor) -> Tensor:
    """Returns |FFT2(w w^T * map)|^2 with symmetric Hann windows w, ``(H, W)`` float64, DC first."""
    window_y, window_x = (
        torch.hann_window(side, periodic=False, dtype=torch.float64) for side in plane.shape
    )
    windowed = plane.double() * window_y[:, None] * window_x[None, :]
    return torch.fft.fft2(windowed).abs().square_()


def radial_frequency(height: int, width: int) -> Tensor:
    """Returns rho = sqrt((2 f_y)^2 + (2 f_x)^2) / sqrt(2), ``(H, W)`` float64 in [0, 1].

    f are the exact FFT frequencies in cycles per pixel, so that 1 is the corner of the Nyquist square.
    """
    fy = 2 * torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    fx = 2 * torch.fft.fftfreq(width, dtype=torch.float64)[None, :]
    return (fy.square() + fx.square()).sqrt() / math.sqrt(2)


def frequency_content(plane: Tensor, rho_low: float) -> Score:
    """Computes FC = sum P[rho >= rho_low] / sum P (Eq. 6).

    Args:
        plane: ``(H, W)`` z-scored L2 map.
        rho_low: threshold on the normalised radial frequency (.15 in the released code).

    Returns:
        FC in [0, 1]; higher means more mid and high frequencies.
    """
    if min(plane.shape) < 3:
        return undefined(reasons.TOO_FEW_PIXELS)
    power = power_spectrum(plane)
    total = float(power.sum())
    if total == 0.0:
        return undefined(reasons.NO_SPECTRUM)
    return Score(float(power[radial_frequency(*plane.shape) >= rho_low].sum()) / total)
