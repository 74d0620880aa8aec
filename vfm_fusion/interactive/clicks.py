"""Clicks, the tensor that a batch of them is, and the maps that they are drawn as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from vfm_fusion.errors import ShapeError

UNUSED = -1.0
"""Row, column and order of a slot without click."""


class Click(NamedTuple):
    """A click in pixels of an image; not whole ones where a part of the image is seen at another size."""

    row: float
    col: float
    positive: bool


def points_tensor(clicks: Sequence[Sequence[Click]], slots: int | None = None) -> Tensor:
    """Writes the clicks of a batch as one tensor.

    Args:
        clicks: those of each image, first click first.
        slots: P, slots for clicks of one sign; None for as many as are needed, at least one.

    Returns:
        ``(B, 2 P, 3)`` float32 (row, column, order), positive clicks first, negative from P on; unused slots
        are :data:`UNUSED`. The order is the click's number in its image, from 0.

    Raises:
        ShapeError: there are more clicks of a sign than slots.
    """
    signs = [[[click.positive for click in each].count(sign) for sign in (True, False)] for each in clicks]
    needed = max([1, *(count for counts in signs for count in counts)])
    slots = needed if slots is None else slots
    if needed > slots:
        raise ShapeError(f"{needed} clicks of one sign do not fit into {slots} slots; give it more slots")
    points = torch.full((len(clicks), 2 * slots, 3), UNUSED)
    for image, each in enumerate(clicks):
        free = {True: 0, False: slots}
        for order, click in enumerate(each):
            points[image, free[click.positive]] = torch.tensor([click.row, click.col, order])
            free[click.positive] += 1
    return points


def scaled_points(points: Tensor, size: tuple[int, int], seen: tuple[int, int]) -> Tensor:
    """Brings points ``(B, 2 P, 3)`` from an image of ``size`` to one resized to ``seen``."""
    if size == seen:
        return points
    return points * points.new_tensor([seen[0] / size[0], seen[1] / size[1], 1.0])


def click_maps(
    points: Tensor, size: tuple[int, int], radius: float, kind: Literal["disc", "tanh"] = "disc"
) -> Tensor:
    """Draws clicks.

    Args:
        points: ``(B, 2 P, 3)`` as of :func:`points_tensor`; a point is unused when row and column are both
            below 0.
        size: (H, W) of the maps.
        radius: r in pixels.
        kind: with d the distance to the nearest click of the sign, ``disc`` is 1 where d <= r and 0
            elsewhere, ``tanh`` is tanh(2 d / r), without any click 1.

    Returns:
        ``(B, 2, H, W)`` of the points' type, positive clicks before negative ones.

    Raises:
        ShapeError: the points have another shape.
    """
    if points.ndim != 3 or points.shape[1] % 2 or points.shape[2] != 3:
        raise ShapeError(f"expected points (B, 2 P, 3), found {tuple(points.shape)}")
    unused = points[..., :2].amax(dim=2) < 0
    signed = points[..., :2].masked_fill(unused[..., None], torch.inf).unflatten(1, (2, -1))  # (B, 2, P, 2)
    rows, cols = (torch.arange(side, device=points.device, dtype=points.dtype) for side in size)
    nearest = points.new_full((len(points), 2, *size), torch.inf)
    for slot in range(signed.shape[2]):  # all slots at once would take P times the memory
        row, col = signed[:, :, slot].unbind(dim=2)  # (B, 2)
        down, across = (rows - row[..., None]).square(), (cols - col[..., None]).square()
        nearest = torch.minimum(nearest, down[..., :, None] + across[..., None, :])
    if kind == "disc":
        return (nearest <= radius**2).to(points.dtype)
    return torch.tanh(2 * nearest.sqrt() / radius)
