"""Why a score is undefined: the vocabulary of ``reason`` columns.

An undefined score is NaN and carries one of these strings; a defined score carries ``None``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

NAN_FEATURES = "nan_features"
"""At least one feature is NaN."""
INF_FEATURES = "inf_features"
"""At least one feature is infinite (in float32)."""
OVERFLOW_FEATURES = "overflow_features"
"""Features are finite, but their squares exceed float32."""
CONSTANT_FEATURES = "constant_features"
"""No channel varies over the image (every standard deviation is below 1e-12)."""
CONSTANT_L2 = "constant_l2"
"""The channel L2 norm does not vary (to float32 resolution), as after a normalisation over channels."""
TOO_FEW_PIXELS = "too_few_pixels"
"""The map is too small: SCS needs 8 pixels, EF needs 3 x 3, CKA needs 4 pixels."""
GRID_TOO_FINE = "grid_too_fine"
"""SFC's cells would have fewer pixels than the definition allows (4, of the reference presets 1)."""
ONE_CELL = "one_cell"
"""The map is smaller than two of SFC's cells of fixed size."""
NO_CLUSTERING = "no_clustering"
"""For every k, some cluster has fewer than 2 points."""
NOT_ANNOTATED = "not_annotated"
"""The image has no labels of this kind, so there is no SC_GT; no image has labels, so there is no probe."""
TOO_FEW_IMAGES = "too_few_images"
"""One image has labels; a probe needs one to learn from and another one to be scored on."""
FEWER_THAN_TWO_REGIONS = "fewer_than_two_regions"
"""At the map's size, fewer than two ground-truth regions have two pixels."""
NO_EDGES = "no_edges"
"""The image, resized to the map's size, has no gradient."""
EDGES_EVERYWHERE = "edges_everywhere"
"""The edge core fills so much of the valid region that no concentration in it could exceed chance."""
NO_FEATURE_GRADIENT = "no_feature_gradient"
"""The principal component map has no Sobel gradient, as a checkerboard of single pixels."""
NO_ENERGY_OUTSIDE_CORE = "no_energy_outside_core"
"""All feature gradient lies within the edge core (but for 1e-6), so NC's denominator is 0."""
NO_SPECTRUM = "no_spectrum"
"""The Hann window removes all that varies, as on a map of 3 x 3 pixels with an average centre."""


class Score(NamedTuple):
    """One score of one image: a defined value and no reason, or NaN and a reason."""

    value: float
    reason: str | None = None


def undefined(reason: str) -> Score:
    """Returns NaN with its reason."""
    return Score(float("nan"), reason)


def first_reason(scores: Sequence[Score]) -> str | None:
    """Returns the reason of the first undefined score, or None when all are defined."""
    return next((score.reason for score in scores if score.reason is not None), None)


def values(scores: Sequence[Score]) -> Tensor:
    """Returns the values of per-image scores as ``(B,)`` float64."""
    return torch.tensor([score.value for score in scores], dtype=torch.float64)


def reasons(scores: Sequence[Score]) -> tuple[str | None, ...]:
    """Returns the reasons of per-image scores."""
    return tuple(score.reason for score in scores)
