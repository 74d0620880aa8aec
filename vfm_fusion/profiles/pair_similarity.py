"""How alike the maps of two encoders are at every stride: linear CKA."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.bootstrap import bootstrap_draws, percentile_interval
from vfm_fusion.metrics.kernel_alignment import linear_cka, unbiased_hsic
from vfm_fusion.metrics.reasons import Score, first_reason
from vfm_fusion.profiles.pair_rows import PairRow
from vfm_fusion.profiles.paired_maps import PairedMaps
from vfm_fusion.workflow.progress import progress

Key = tuple[int, str, str]
"""Stride at which two encoders are compared, and the two, in the order of the experiment."""


def similarity_rows(paired: PairedMaps, images: Sequence[int], config: ProfileConfig) -> list[PairRow]:
    """Computes linear CKA of every ordered pair of encoders at every stride; it is the same both ways.

    At a stride for which both encoders' maps come from coarser ones, the pair is compared at the finer of the
    two: pixels that repeat others are no further observations.

    Args:
        paired: the maps.
        images: which images.
        config: ``bootstrap`` and ``seed`` are read.
    """
    hsic = _hsic(paired, images)
    rows = []
    for master, auxiliary in itertools.permutations(paired.encoders, 2):
        for stride in paired.strides:
            at, first, second = _key(paired, stride, master, auxiliary)
            own = hsic[at, first, first], hsic[at, second, second]
            cka = _cka([hsic[at, first, second], *own], config)
            rows.append(PairRow(master, auxiliary, stride, "cka", *cka))
    return rows


def _key(paired: PairedMaps, stride: int, one: str, other: str) -> Key:
    """Where a pair is compared for a stride."""
    first, second = sorted((one, other), key=paired.encoders.index)
    return max(stride, min(paired.source(first, stride), paired.source(second, stride))), first, second


def _hsic(paired: PairedMaps, images: Sequence[int]) -> dict[Key, list[Score]]:
    """HSIC of every pair, and of every encoder with itself, image by image."""
    pairs = list(itertools.combinations(paired.encoders, 2))
    keys = {_key(paired, stride, *pair) for pair in pairs for stride in paired.strides}
    keys |= {(at, name, name) for at, *pair in keys for name in pair}
    found: dict[Key, list[Score]] = defaultdict(list)
    for index in progress(images, "compare maps", len(images)):
        native = paired.read(index)
        for at, group in itertools.groupby(sorted(keys), key=lambda key: key[0]):
            compared = [key[1:] for key in group]
            grid = paired.grid(index, at)
            drawn = paired.drawn(index, torch.arange(grid[0] * grid[1]))
            tokens = {
                name: paired.tokens(native[name], at, grid, drawn)
                for name in paired.encoders
                if (name, name) in compared
            }
            for one, other in compared:
                found[at, one, other].append(unbiased_hsic(tokens[one], tokens[other]))
    return found


def _cka(hsic: Sequence[Sequence[Score]], config: ProfileConfig) -> tuple[float, float, float, str | None]:
    """CKA, its interval, and why it has none, of HSIC of both maps, of the first and of the second."""
    values = np.array([[score.value for score in scores] for scores in hsic])  # (3, images)
    values = values[:, ~np.isnan(values).any(axis=0)]
    if values.shape[1] == 0:
        return math.nan, math.nan, math.nan, first_reason([score for scores in hsic for score in scores])
    cka = float(linear_cka(*values))
    if math.isnan(cka):
        return cka, cka, cka, reasons.CONSTANT_FEATURES
    draws = bootstrap_draws(values.shape[1], config.bootstrap, config.seed)
    resampled = linear_cka(*values[:, draws])
    return cka, *percentile_interval(resampled[~np.isnan(resampled)]), None
