"""SC and EF written down formula by formula in NumPy and scikit-learn, for comparison.

No value is shared between scores and nothing is tuned; maps must be large enough for every EF score.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from torch import Tensor

Array = NDArray[np.floating]


def transcribed_profile(maps: dict[int, Tensor], image: Tensor, preset: str = "paper") -> pd.DataFrame:
    """Returns stride, score and value by preset ``paper`` or ``reference_training``.

    Args:
        maps: ``{stride: (1, C, H, W)}`` float32.
        image: ``(1, 3, H0, W0)`` uint8.
        preset: the definition.
    """
    rows = []
    for stride, features in maps.items():
        array = features[0].numpy()
        if preset == "paper":
            sfc = structured_feature_contrast(array, 8, smallest_cell=4)
            ec, nc = concentration(array, image)
            fc, sp = frequency_content(array), spatial_precision(array, image.shape[-2:])
        else:
            sfc = structured_feature_contrast(array, 16, smallest_cell=1)
            ec, nc = gated_concentration(array, image)
            fc, sp = component_frequency(array), highpass_precision(array)
        scs = structural_clustering(array)
        scores = {"sfc": sfc, "scs": scs, "sc": math.sqrt(sfc * scs), "ec": ec, "nc": nc, "fc": fc, "sp": sp}
        scores["ef"] = 100 * ec * nc * fc * sp
        rows += [(stride, name, value) for name, value in scores.items()]
    return pd.DataFrame(rows, columns=["stride", "score", "value"])


def norm_map(features: Array) -> Array:
    norm = np.sqrt((features.astype(np.float64) ** 2).sum(axis=0))
    return (norm - norm.mean()) / norm.std()


def normalised_pixels(features: Array) -> Array:
    pixels = features.reshape(len(features), -1).T
    return (pixels - pixels.mean(axis=0)) / (pixels.std(axis=0) + 1e-6)


def structured_feature_contrast(features: Array, side: int, smallest_cell: int) -> float:
    plane = norm_map(features)
    height, width = plane.shape[0] // side, plane.shape[1] // side
    if height * width < smallest_cell:
        return math.nan
    cells = [
        plane[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row in range(side)
        for column in range(side)
    ]
    between = np.var([cell.mean() for cell in cells])
    return between / (between + np.mean([cell.var() for cell in cells]))


def structural_clustering(features: Array) -> float:
    rng = np.random.default_rng(0)
    points = normalised_pixels(features)
    if len(points) > 4096:
        points = points[rng.choice(len(points), 4096, replace=False)]
    points = PCA(min(32, points.shape[1], len(points) - 1), svd_solver="covariance_eigh").fit_transform(
        points
    )
    scores = []
    for k in (6, 8, 10):
        labels = KMeans(k, n_init=10, random_state=0).fit(points).labels_
        clusters, sizes = np.unique(labels, return_counts=True)
        if sizes.min() < 2:
            continue
        chosen = np.arange(len(points))
        if len(points) > 2000:
            takes = [max(2, round(2000 * size / len(points))) for size in sizes]
            members = [np.flatnonzero(labels == cluster) for cluster in clusters]
            chosen = [
                rng.choice(m, min(t, len(m)), replace=False) for m, t in zip(members, takes, strict=True)
            ]
            chosen = np.concatenate(chosen)
        scores.append(silhouette_score(points[chosen], labels[chosen]))
    return (np.median(scores) + 1) / 2 if scores else math.nan


def sobel(plane: Array) -> Array:
    across = ndimage.sobel(plane, axis=1, mode="nearest") / 4
    down = ndimage.sobel(plane, axis=0, mode="nearest") / 4
    return np.sqrt(across**2 + down**2)


def edge_regions(size: tuple[int, int], image: Tensor) -> tuple[Array, Array, Array]:
    rgb = F.interpolate(image.float() / 255, size=size, mode="bilinear", align_corners=False)[0].numpy()
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    gradient = sobel(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    valid = np.zeros(size, dtype=bool)
    valid[1:-1, 1:-1] = True
    gradient = (gradient - gradient[valid].min()) / np.ptp(gradient[valid])
    gradient = gradient.clip(0, 1)
    edges = strongest(gradient, valid)
    line = edges & (gradient >= ndimage.maximum_filter(gradient, 3, mode="nearest") - 1e-6)
    inner, outer = (
        ndimage.binary_dilation(line, np.ones((side, side), dtype=bool)) & valid
        for side in (2 * 2 + 1, 2 * 4 + 1)
    )
    return valid, inner, outer


def strongest(gradient: Array, valid: Array) -> Array:
    return valid & (gradient >= np.sort(gradient[valid])[-math.ceil(0.1 * valid.sum())])


def first_component(features: Array) -> Array:
    component = PCA(1, svd_solver="covariance_eigh").fit_transform(normalised_pixels(features))
    return ((component - component.min()) / np.ptp(component)).reshape(features.shape[1:])


def concentration(features: Array, image: Tensor) -> tuple[float, float]:
    valid, inner, outer = edge_regions(features.shape[1:], image)
    energy = sobel(first_component(features)).astype(np.float64)
    total, core = energy[valid].sum(), energy[inner].sum()
    return core / total, energy[outer & ~inner].sum() / (total - core)


def gated_concentration(features: Array, image: Tensor) -> tuple[float, float]:
    valid, inner, outer = edge_regions(features.shape[1:], image)
    energy = sobel(first_component(features)).astype(np.float64)
    energy = energy * strongest(energy, valid)
    total = energy.sum()
    return energy[outer].sum() / total, energy[outer & ~inner].sum() / total


def frequency_content(features: Array) -> float:
    plane = norm_map(features)
    height, width = plane.shape
    power = np.abs(np.fft.fft2(plane * np.outer(np.hanning(height), np.hanning(width)))) ** 2
    rho = np.hypot(2 * np.fft.fftfreq(height)[:, None], 2 * np.fft.fftfreq(width)) / math.sqrt(2)
    return power[rho >= 0.15].sum() / power.sum()


def component_frequency(features: Array) -> float:
    plane = first_component(features)
    plane = ((plane - plane.mean()) / plane.std(ddof=1)).clip(-8, 8)
    height, width = plane.shape
    power = np.abs(np.fft.fft2(plane * np.outer(np.hanning(height), np.hanning(width)))) ** 2
    rho = np.hypot(np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width))
    power = np.roll(power, (height // 2, width // 2), axis=(0, 1))
    return power[rho / rho.max() >= 0.15].sum() / power.sum()


def spatial_precision(features: Array, image_size: tuple[int, int]) -> float:
    plane = norm_map(features)
    stride = (image_size[0] / plane.shape[0] + image_size[1] / plane.shape[1]) / 2
    return 1 / (1 + decorrelation_radius(plane) * stride / 64)


def highpass_precision(features: Array) -> float:
    plane = np.sqrt((features.astype(np.float64) ** 2).sum(axis=0))
    plane = plane - ndimage.uniform_filter(plane, 3, mode="constant")
    return 1 / (1 + decorrelation_radius(plane) / 64)


def decorrelation_radius(plane: Array) -> int:
    height, width = plane.shape
    largest = math.floor(0.6 * min(height, width))
    radii = np.unique(np.round(np.logspace(0, np.log10(largest), 16)).astype(int))
    for radius in radii:
        correlations = []
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            dy, dx = dy * radius, dx * radius
            a = plane[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
            b = plane[max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)]
            correlations.append(np.corrcoef(a.ravel(), b.ravel())[0, 1])
        if np.mean(correlations) < 0.5:
            return int(radius)
    return int(radii[-1])
