"""What a map without spatial order gets by chance, and how far a share is above it."""

from __future__ import annotations

import torch
from torch import Tensor


def above_chance(share: float, chance: float, deviation: float, deviations: float) -> float:
    """Puts chance at 0 and a perfect share at 1.

    (share - chance) / (1 - chance), and 0 for a share that exceeds chance by at most ``deviations`` standard
    deviations: what order at random produces as well is no evidence, so that two maps at chance are equal
    instead of ranked by luck.

    Args:
        share: in [0, 1].
        chance: its mean over maps without spatial order, below 1.
        deviation: its standard deviation over them.
        deviations: how many of these still count as chance.
    """
    if share - chance <= deviations * deviation:
        return 0.0
    return (share - chance) / (1.0 - chance)


def displaced_deviation(energy: Tensor, region: Tensor) -> float:
    """Standard deviation of the share of energy in a region over all circular displacements of the region.

    By the convolution theorem, without displacing anything: the sums over the displaced regions have the
    power spectrum |FFT(energy)|^2 |FFT(region)|^2, whose mean beyond DC is their variance.

    Args:
        energy: ``(H, W)`` float64, non-negative, with a positive sum.
        region: ``(H, W)`` bool.
    """
    power = (torch.fft.fft2(energy).abs() * torch.fft.fft2(region.double()).abs()).square_()
    power[0, 0] = 0.0
    return float(power.sum().sqrt()) / (energy.numel() * float(energy.sum()))
