"""The linear probe of every fused pyramid: what a few labelled images say of the others."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.pairs import PairsConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.bootstrap import bootstrap_draws, percentile_interval
from vfm_fusion.metrics.linear_probe import ProbeSums, hits_and_unions, mean_iou
from vfm_fusion.profiles.labelled_pixels import Labelled
from vfm_fusion.profiles.pair_rows import ALONE, PairRow
from vfm_fusion.profiles.paired_maps import PairedMaps
from vfm_fusion.workflow.progress import progress

Map = tuple[str, int]
"""Encoder and stride."""
Fused = tuple[str, str | None, int]
"""Master, auxiliary and injection stride; None and :data:`ALONE` for the master alone."""


def probe_rows(
    paired: PairedMaps, images: Sequence[int], maps: ProfileConfig, config: PairsConfig
) -> list[PairRow]:
    """Scores a linear probe of every master alone and of every pyramid that an auxiliary is injected into.

    The pyramid is that of the operator ``replace``: the auxiliary's map at the injection stride, the master's
    at the others; all channels of the auxiliary count, whatever ``fusion.align`` would leave of them. The
    maps are resized bilinearly to the grid of the finest stride and concatenated. The probe, see
    :class:`~vfm_fusion.metrics.linear_probe.ProbeSums`, learns the class at each pixel's centre from a few
    images and is scored on the others, by mIoU over the pixels that are drawn of them. It uses labels of the
    profiled split: a bound for what predicts the best stride without labels, not a way to do it.

    Args:
        paired: the maps.
        images: which images.
        maps: ``bootstrap`` and ``seed`` are read.
        config: how many images are learnt from, and the ridge strength.

    Returns:
        Rows of ``probe``, and of ``probe_gain`` over the master alone with the interval of the difference;
        undefined, with the reason, where fewer than two images have labels or a map is not finite.
    """
    pyramids = Pyramids(paired)
    labelled, classes = _labelled(paired, images)
    if len(labelled) < 2:
        reason = reasons.TOO_FEW_IMAGES if labelled else reasons.NOT_ANNOTATED
        return list(_rows(dict.fromkeys(pyramids.fused, reason), {}, maps))
    few = min(config.labelled, len(labelled) // 2)
    learnt = set(random.Random(maps.seed).sample(range(len(labelled)), few))
    sums = ProbeSums(pyramids.channels, classes)
    for image in progress([labelled[i] for i in sorted(learnt)], "learn probes", few):
        sums.add(pyramids.tokens(image), image.truth)
    probes = {name: sums.probe(pyramids.channels_of(name), config.ridge) for name in pyramids.fused}
    others = [image for i, image in enumerate(labelled) if i not in learnt]
    counts = {name: np.zeros((len(others), 2, classes), np.int64) for name in probes}
    for i, image in enumerate(progress(others, "score probes", len(others))):
        tokens = sums.standardise(pyramids.tokens(image))
        for name, probe in probes.items():
            counts[name][i] = hits_and_unions(image.truth, probe.predict(tokens), classes)
    return list(_rows({name: pyramids.reason(name) for name in probes}, counts, maps))


class Pyramids:
    """The pyramids of an experiment's pairs, on one grid: which rows of all channels each consists of.

    Args:
        paired: the maps.

    Attributes:
        fused: every pyramid: each master alone, then with each auxiliary at each stride.
        channels: of all maps together.
    """

    def __init__(self, paired: PairedMaps) -> None:
        self._paired = paired
        self.fused: list[Fused] = [(master, None, ALONE) for master in paired.encoders]
        for pair in itertools.permutations(paired.encoders, 2):
            self.fused += [(*pair, stride) for stride in paired.strides]
        self._rows: dict[Map, slice] = {}
        self.channels = 0
        for encoder, stride in itertools.product(paired.encoders, paired.strides):
            end = self.channels + paired.channels(encoder, stride)
            self._rows[encoder, stride] = slice(self.channels, end)
            self.channels = end
        self._spoiled: dict[Map, str] = {}

    def channels_of(self, fused: Fused) -> list[slice]:
        """The channels of a pyramid, map by map."""
        return [self._rows[name] for name in self._maps(fused)]

    def tokens(self, image: Labelled) -> Tensor:
        """The channels of all maps at the pixels of an image, ``(D, n)`` float32.

        A map that is not finite is noted, for :meth:`reason`, and 0 here.
        """
        native = self._paired.read(image.index)
        grid = self._paired.grid(image.index, self._paired.strides[0])
        every = torch.empty(self.channels, len(image.at))
        for (encoder, stride), rows in self._rows.items():
            tokens = self._paired.tokens(native[encoder], stride, grid, image.at)
            if not bool(tokens.isfinite().all()):
                is_nan = bool(tokens.isnan().any())
                self._spoiled[encoder, stride] = reasons.NAN_FEATURES if is_nan else reasons.INF_FEATURES
                tokens = torch.zeros_like(tokens)
            every[rows] = tokens
        return every

    def reason(self, fused: Fused) -> str | None:
        """Why nothing can be said of a pyramid, or None."""
        return next((self._spoiled[name] for name in self._maps(fused) if name in self._spoiled), None)

    def _maps(self, fused: Fused) -> list[Map]:
        master, auxiliary, injected = fused
        return [
            (auxiliary if auxiliary and stride == injected else master, stride)
            for stride in self._paired.strides
        ]


def _labelled(paired: PairedMaps, images: Sequence[int]) -> tuple[list[Labelled], int]:
    """The images that have labelled pixels, and the number of classes."""
    found, classes = [], 0
    for index in images:
        drawn, known = paired.labelled(index)
        classes = max(classes, known)
        if drawn is not None:
            found.append(drawn)
    return found, classes


def _rows(
    undefined: Mapping[Fused, str | None], counts: Mapping[Fused, np.ndarray], config: ProfileConfig
) -> Iterator[PairRow]:
    """Rows of all pyramids, of counts ``(images, 2, K)`` where they are defined."""
    resampled: dict[Fused, np.ndarray] = {}  # mIoU of all images, then of every resample
    for name, reason in undefined.items():
        if reason is None:
            images = len(counts[name])
            draws = bootstrap_draws(images, config.bootstrap, config.seed)
            times = np.stack([np.ones(images, np.int64), *(np.bincount(d, minlength=images) for d in draws)])
            resampled[name] = mean_iou(np.tensordot(times, counts[name], axes=1))
    for name, reason in undefined.items():
        alone = (name[0], None, ALONE)
        yield PairRow(*name, "probe", *_interval(resampled.get(name)), reason)
        if name != alone:
            gain = resampled[name] - resampled[alone] if {name, alone} <= resampled.keys() else None
            yield PairRow(*name, "probe_gain", *_interval(gain), reason or undefined[alone])


def _interval(values: np.ndarray | None) -> tuple[float, float, float]:
    if values is None:
        return math.nan, math.nan, math.nan
    return float(values[0]), *percentile_interval(values[1:])
