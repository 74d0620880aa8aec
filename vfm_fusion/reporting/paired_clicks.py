"""Clicks of two models on the same objects: the mean difference, with what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.metrics.bootstrap import bootstrap_draws, percentile_interval
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.significance import difference
from vfm_fusion.reporting.verdicts import MIN_SEEDS, Outcome, part


@dataclass(frozen=True)
class Paired:
    """Clicks of one model minus those of another, object by object.

    Attributes:
        clicks: the mean over objects and seeds, with its interval over images; NaN without an object.
        by_seed: the same with its interval over seeds.
        objects: objects behind it.
        images: their images.
    """

    clicks: Value
    by_seed: Value
    objects: int
    images: int

    @property
    def outcome(self) -> Outcome:
        """``agrees`` where the first model needs fewer clicks, by :mod:`vfm_fusion.reporting.verdicts`.

        The intervals over images and over seeds both have to be clear of zero, on the same side.
        """
        if not self.objects:
            return part(None)
        signs = {self.clicks.sign or 0, (self.by_seed.sign or 0) if self.by_seed.n >= MIN_SEEDS else 0}
        return part(-signs.pop() if len(signs) == 1 else 0, seeds=self.by_seed.n, images=self.images)


def paired(
    first: Mapping[int, pd.DataFrame], second: Mapping[int, pd.DataFrame], bootstrap: Bootstrap
) -> Paired:
    """Compares two models on the objects of a data set.

    Objects of one image are not independent, so images are resampled, and each brings all its objects along.

    Args:
        first: seed to its objects, see :func:`vfm_fusion.reporting.click_results.read_objects`.
        second: the same of the other model, with the same seeds and objects.
        bootstrap: resamples of the images, and their seed.

    Raises:
        ReportingError: the models were clicked on different objects.
    """
    differences = {seed: _difference(first[seed], second[seed]) for seed in first}
    table = pd.concat(differences, axis="columns").dropna()  # rows: (image_id, object)
    if table.empty:
        none = Value.missing("no object has a labelled pixel")
        return Paired(none, none, 0, 0)
    by_seed = difference({seed: float(column.mean()) for seed, column in table.items()})
    over = table.mean(axis="columns").groupby(level="image_id").agg(["sum", "size"])
    mean, (low, high) = float(over["sum"].sum() / over["size"].sum()), (math.nan, math.nan)
    if len(over) > 1:
        draws = bootstrap_draws(len(over), bootstrap.resamples, bootstrap.seed)  # (resamples, images)
        totals, sizes = (over[name].to_numpy(np.float64)[draws].sum(axis=1) for name in ("sum", "size"))
        low, high = percentile_interval(totals / sizes)
    return Paired(Value(mean, low=low, high=high, n=len(table)), by_seed, len(table), len(over))


def _difference(first: pd.DataFrame, second: pd.DataFrame) -> pd.Series:
    """Clicks of every object, of the first model minus those of the second; NaN where undefined."""
    one, other = (frame.set_index(["image_id", "object"])["clicks"] for frame in (first, second))
    if not one.index.equals(other.index):
        raise ReportingError(
            f"two models were clicked on different objects: {len(one)} and {len(other)}, of them "
            f"{len(one.index.intersection(other.index))} the same; evaluate both on the same images"
        )
    return one - other
