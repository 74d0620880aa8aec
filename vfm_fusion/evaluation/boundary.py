"""Boundary regions of masks and label maps (Cheng et al., "Boundary IoU", CVPR 2021).

The boundary region of a mask G is what an erosion by d pixels takes away from it, d a share of the image's
diagonal (at least one pixel): the pixels p of G for which the square of 2 d + 1 pixels around p leaves G or
the image. This is the definition of the authors' code (github.com/bowenc0221/boundary-iou-api), which erodes
d times by 3 x 3.
"""

from __future__ import annotations

import cv2
import numpy as np


def boundary_width(size: tuple[int, int], ratio: float) -> int:
    """Returns d in pixels for an image of ``size`` (H, W)."""
    return max(1, round(ratio * float(np.hypot(*size))))


def mask_boundary(mask: np.ndarray, width: int) -> np.ndarray:
    """Returns the boundary region of a mask.

    Args:
        mask: ``(H, W)`` uint8, 0 and 1; what lies around it is taken for 0, so that a mask cut out by its
            bounding box has the same boundary as in its image.
        width: d, see :func:`boundary_width`.

    Returns:
        ``(H, W)`` uint8, 0 and 1.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return mask - cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def map_boundary(labels: np.ndarray, width: int) -> np.ndarray:
    """Marks the boundary regions of every label of a map at once.

    A pixel is inside its label's region when the least and the largest label of the square around it are
    equal: two filters for all labels instead of an erosion for each.

    Args:
        labels: ``(H, W)`` uint8, uint16 or float32 labels.
        width: d, see :func:`boundary_width`.

    Returns:
        ``(H, W)`` bool.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    boundary = cv2.erode(labels, square) != cv2.dilate(labels, square)
    boundary[:width] = boundary[-width:] = True
    boundary[:, :width] = boundary[:, -width:] = True
    return boundary
