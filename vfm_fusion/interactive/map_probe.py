"""A linear probe of maps: what a few labelled training images say of the classes of other images."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.interactive.stride_maps import MAP_TOO_SMALL, StrideMap, StrideMaps
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.linear_probe import ProbeSums, hits_and_unions, mean_iou
from vfm_fusion.profiles.labelled_pixels import Draw, Labelled, labelled_pixels
from vfm_fusion.workflow.progress import progress

NO_TRAINING_IMAGES = "no_training_images"
"""Why there is no probe: the experiment has no training images of the data set."""


class MapProbe:
    """A ridge regression of classes on the channels of maps, and how well it segments.

    Attributes:
        learnt: images that it has learnt from.
        scored: images that it was scored on.
    """

    def __init__(self, maps: StrideMaps, draw: Draw) -> None:
        """Prepares a probe that has learnt nothing.

        Args:
            maps: makes the maps.
            draw: which labelled pixels of an image are learnt from or scored.
        """
        self._maps, self._draw = maps, draw
        self.learnt = self.scored = 0
        self._missing, self._spoiled = NO_TRAINING_IMAGES, ""

    def learn(self, train: Dataset, images: int, ridge: float) -> None:
        """Learns from evenly spaced images.

        Args:
            train: holds them, with their labels.
            images: how many.
            ridge: ridge strength, of standardised channels.

        Raises:
            CorruptImageError: an image or a label file is damaged.
        """
        self._missing = reasons.NOT_ANNOTATED
        self._classes = len(train.categories) + 1  # the background of objects alone is one more
        self._sums = ProbeSums(self._maps.channels, self._classes)
        chosen = subset(len(train), images)
        for position in progress(chosen, "learn probe", len(chosen)):
            labelled = self._labelled(train, position)
            if labelled is None:
                continue
            made = self._maps(train.image(position))
            if made is None:
                self._missing = MAP_TOO_SMALL
                continue
            tokens = self._tokens(made, labelled)
            if tokens is not None:
                self._sums.add(tokens, labelled.truth)
                self.learnt += 1
        if self.learnt:
            self._probe = self._sums.probe([slice(0, self._maps.channels)], ridge)
            self._counts = np.zeros((2, self._classes), np.int64)

    def score(self, made: StrideMap, dataset: Dataset, position: int) -> None:
        """Segments an image by its map and counts how that agrees with the labels, where it has any."""
        labelled = self._labelled(dataset, position) if self.learnt else None
        tokens = None if labelled is None else self._tokens(made, labelled)
        if tokens is not None:
            predicted = self._probe.predict(self._sums.standardise(tokens))
            self._counts += hits_and_unions(labelled.truth, predicted, self._classes)
            self.scored += 1

    @property
    def reason(self) -> str | None:
        """Why it has no score, as in :mod:`vfm_fusion.metrics.reasons` or above; None where it has one."""
        return self._spoiled or (None if self.scored else self._missing)

    @property
    def mean_iou(self) -> float | None:
        """mIoU in percent over the drawn pixels of all scored images; None where there is none."""
        return None if self.reason else float(mean_iou(self._counts))

    def _labelled(self, dataset: Dataset, position: int) -> Labelled | None:
        grid = self._maps.grid(dataset.size_of(position))
        return labelled_pixels(dataset, position, self._maps.setting, grid, self._draw)[0]

    def _tokens(self, made: StrideMap, labelled: Labelled) -> Tensor | None:
        """Channels of the drawn pixels ``(C, n)``; None where they are not finite, which spoils the probe."""
        tokens = made.values.flatten(1)[:, labelled.at]
        if bool(tokens.isfinite().all()):
            return tokens
        self._spoiled = reasons.NAN_FEATURES if bool(tokens.isnan().any()) else reasons.INF_FEATURES
        return None
