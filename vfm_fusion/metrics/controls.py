"""Controls: feature maps with a known answer, made from any image, that a metric has to rank right.

None reads a setting of the metrics. An ideal edge map is taken to be what the paper says of SAM2,
"activations along object boundaries" (Sec. 3.2): contour energy. Its opposite in the paper, activations
"across object interiors", is the map of smooth regions.

- ``edges``: oriented contour energy of the image at the output stride; see :func:`contour_energy`.
- ``blurred``: the same, low-passed by a Gaussian of 1 feature pixel: contours that are out of place.
- ``smooth``: soft regions, low-passed by the same Gaussian: as blurred, and not contours at all.
- ``noise``: white Gaussian noise, which has nothing to do with the image.
- ``shuffled``: the pixels of ``edges`` in random order: its very values, none of its places.
- ``constant``: every pixel alike; nothing can be said of it.

So EF should fall from ``edges`` over ``blurred`` to ``smooth``, SC should put ``smooth`` first, and neither
should tell ``noise`` from ``shuffled``, which are both at chance.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics.inputs import check_images, unit_range
from vfm_fusion.metrics.kmeans import kmeans_labels
from vfm_fusion.metrics.sobel import sobel

CONTROLS = ("edges", "blurred", "smooth", "noise", "shuffled", "constant")
"""Names of the controls."""

ORIENTATIONS = 8
"""Contour orientations of ``edges``, for each of the three colour channels."""

CHANNELS = 3 * ORIENTATIONS
"""C of every control."""

BLUR = 1.0
"""Standard deviation of the Gaussian of ``blurred`` and ``smooth``, in feature pixels.

Its full width at half maximum is 2.4 pixels. Twice that would leave no contour on a map of 8 x 16 pixels, the
smallest of the default run.
"""

REGIONS = 8
"""Number of regions of ``smooth``: the middle of SCS's k."""

_RESTARTS = 4
"""k-means restarts for ``smooth``."""

_REGION_GRID = 32
"""Pixels along the shorter side of the grid on which the regions of ``smooth`` are found."""


def control_map(name: str, image: Tensor, stride: int, seed: int = 0) -> Tensor:
    """Synthesises one control.

    Args:
        name: one of :data:`CONTROLS`.
        image: ``(1, 3, H0, W0)`` RGB, uint8 or floating point in [0, 1].
        stride: output stride, image pixels per feature pixel.
        seed: seed of whatever is random in it: noise, order of pixels, region embeddings.

    Returns:
        ``(24, ceil(H0 / stride), ceil(W0 / stride))`` float32 on the CPU.

    Raises:
        ShapeError: the image is not as above.
        ValueError: there is no such control.
    """
    check_images(image, batch=1)
    if name not in CONTROLS:
        raise ValueError(f"no control is named {name!r}; there are {', '.join(CONTROLS)}")
    if stride < 1:
        raise ShapeError(f"an output stride is at least 1, got {stride}")
    rgb = unit_range(image, torch.device("cpu"))
    size = tuple(math.ceil(side / stride) for side in rgb.shape[-2:])
    generator = torch.Generator().manual_seed(seed)
    if name == "constant":
        return torch.ones(CHANNELS, *size)
    if name == "noise":
        return torch.randn(CHANNELS, *size, generator=generator)
    if name == "smooth":
        return low_passed(soft_regions(rgb, size, generator, seed))
    contours = contour_energy(rgb, size)
    if name == "blurred":
        return low_passed(contours)
    if name == "shuffled":
        order = torch.randperm(contours[0].numel(), generator=generator)
        return contours.flatten(1)[:, order].view_as(contours)
    return contours


def contour_energy(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns what an ideal edge encoder responds with: the strength of the image's contours, by orientation.

    The image is antialiased down to the grid. Channel (c, k) is |gx cos(theta_k) + gy sin(theta_k)| of colour
    channel c, theta_k = pi k / 8. Contours of every direction count alike: the channel L2 norm is
    2 * sqrt(sum over c of gx^2 + gy^2), twice the gradient magnitude of the colour image.

    Args:
        image: ``(1, 3, H0, W0)`` float32 in [0, 1].
        size: (H, W) of the feature map.

    Returns:
        ``(24, H, W)`` float32.
    """
    thumbnail = F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)[0]
    gx, gy = sobel(thumbnail)
    angles = torch.arange(ORIENTATIONS) * (math.pi / ORIENTATIONS)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return (gx[:, None] * cos + gy[:, None] * sin).abs().flatten(0, 1)  # (3, 8, H, W) -> (24, H, W)


def soft_regions(image: Tensor, size: tuple[int, int], generator: torch.Generator, seed: int) -> Tensor:
    """Returns an embedding that is nearly constant over each of 8 regions, as an object-level encoder's is.

    k-means of colour and position, on a grid of 32 pixels along the image's shorter side, so that the regions
    are the same at every stride. Colour and position weigh alike (each has a total variance of 1). A pixel is
    the mean of random region embeddings, weighted by the regions' posterior in the mixture of Gaussians of
    equal size and of the clusters' common variance that k-means stands for.

    Args:
        image: ``(1, 3, H0, W0)`` float32 in [0, 1].
        size: (H, W) of the feature map.
        generator: draws the embeddings.
        seed: seed of k-means.

    Returns:
        ``(24, H, W)`` float32.
    """
    shorter = min(image.shape[-2:])
    grid = tuple(max(1, round(_REGION_GRID * side / shorter)) for side in image.shape[-2:])
    points = _colour_and_position(image, grid)
    labels = kmeans_labels(points, REGIONS, _RESTARTS, seed).long()
    member = F.one_hot(labels, REGIONS).double()
    centres = (member.T @ points.double()) / member.sum(dim=0).clamp_min(1)[:, None]
    distances = torch.cdist(points.double(), centres).square()  # (n, regions)
    variance = float((member * distances).sum()) / points.numel()
    posterior = torch.softmax(-distances / (2 * max(variance, 1e-12)), dim=1)
    embeddings = torch.randn(REGIONS, CHANNELS, generator=generator)
    plane = (posterior.float() @ embeddings).T.reshape(1, CHANNELS, *grid)
    return F.interpolate(plane, size=size, mode="bilinear", align_corners=False, antialias=True)[0]


def _colour_and_position(image: Tensor, grid: tuple[int, int]) -> Tensor:
    """Returns ``(n, 5)`` float32: RGB and (y, x) of the grid's pixels, each of a total variance of 1."""
    colour = F.interpolate(image, size=grid, mode="bilinear", align_corners=False, antialias=True)[0]
    y, x = torch.meshgrid(torch.arange(float(grid[0])), torch.arange(float(grid[1])), indexing="ij")
    groups = (colour, torch.stack([y, x]))
    rows = []
    for group in groups:
        points = group.flatten(1).T
        points = points - points.mean(dim=0)
        rows.append(points / points.square().sum(dim=1).mean().sqrt().clamp_min(1e-6))
    return torch.cat(rows, dim=1).contiguous()


def low_passed(planes: Tensor) -> Tensor:
    """Returns ``(C, H, W)`` convolved with a Gaussian of 1 feature pixel; the border is mirrored."""
    return torch.from_numpy(gaussian_filter(planes.numpy(), (0.0, BLUR, BLUR), mode="reflect"))
