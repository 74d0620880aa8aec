"""Does a metric definition rank the controls right?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from vfm_fusion.metrics.controls import CONTROLS

Relation = Literal["above", "not above"]

TOLERANCE = 2.0
"""Standard errors that a control may be above another one by chance."""


class Comparison(NamedTuple):
    """What a score should make of two controls."""

    score: Literal["ef", "sc"]
    control: str
    relation: Relation
    other: str


COMPARISONS = (
    Comparison("ef", "edges", "above", "blurred"),
    Comparison("ef", "blurred", "above", "smooth"),
    Comparison("ef", "noise", "not above", "shuffled"),
    Comparison("ef", "edges", "above", "noise"),
    Comparison("sc", "smooth", "above", "shuffled"),
    Comparison("sc", "smooth", "above", "noise"),
)
"""What makes the order of the controls right. Beside it, ``constant`` has to be undefined."""

SCORES = tuple(dict.fromkeys(comparison.score for comparison in COMPARISONS))
"""The scores that the controls are ranked by."""

_CELL = ["definition", "score", "stride"]


def control_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Averages the scores of controls over the images on which they are defined.

    Args:
        scores: see :func:`vfm_fusion.profiles.control_scores.score_controls`.

    Returns:
        One row per definition, score (ef, sc), stride and control, in this order: ``definition``, ``score``,
        ``stride``, ``control``, ``mean`` (NaN where undefined on every image), ``images`` (defined),
        ``undefined`` (count), ``reason`` (the commonest; null where defined on every image).
    """
    rows = []
    for key, cell in _cells(scores):
        for control in CONTROLS:
            own = cell[cell["control"] == control]
            defined = own["value"].dropna()
            common = own.loc[own["value"].isna(), "reason"].mode()
            mean = defined.mean() if len(defined) else math.nan
            reason = common.iloc[0] if len(common) else None
            rows.append((*key, control, mean, len(defined), len(own) - len(defined), reason))
    columns = [*_CELL, "control", "mean", "images", "undefined", "reason"]
    return pd.DataFrame(rows, columns=columns)


def check_controls(scores: pd.DataFrame) -> pd.DataFrame:
    """Compares controls by the means over the images on which both are defined.

    With d the difference of two controls on an image, ``above`` holds where mean d > 0; ``not above`` where
    mean d <= :data:`TOLERANCE` times its standard error std(d) / sqrt(n) (sample standard deviation; 0 for
    one image), for what both owe to chance differs by chance. ``undefined`` holds for ``constant`` where it
    has no value on any image.

    Args:
        scores: see :func:`vfm_fusion.profiles.control_scores.score_controls`.

    Returns:
        One row per definition, score, stride and comparison: ``definition``, ``score``, ``stride``,
        ``control``, ``relation`` (above, not above, undefined), ``other``, ``difference`` (mean d),
        ``standard_error``, ``images`` (n), ``agreeing`` (images on which d > 0, d <= 0, or no value),
        ``holds`` (bool, null where n = 0) and ``reason`` (why n = 0).
    """
    rows = []
    for key, cell in _cells(scores):
        values = cell.pivot_table(index="image_id", columns="control", values="value", dropna=False)
        rows += [
            (*key, c.control, c.relation, c.other, *_compare(values[c.control] - values[c.other], c.relation))
            for c in COMPARISONS
            if c.score == key[1]
        ]
        defined = int(values["constant"].notna().sum())
        count = len(values)
        rows.append(
            (*key, "constant", "undefined", "", math.nan, math.nan, count, count - defined, defined == 0)
        )
    columns = [*_CELL, "control", "relation", "other", "difference", "standard_error"]
    checks = pd.DataFrame(rows, columns=[*columns, "images", "agreeing", "holds"])
    return checks.astype({"holds": "boolean"}).assign(reason=_reasons(checks, scores))


def _cells(scores: pd.DataFrame) -> Iterator[tuple[tuple[str, str, int], pd.DataFrame]]:
    """Yields the rows of each definition, score and stride; definitions as they come, strides ascending."""
    for definition, own in scores.groupby("definition", sort=False):
        for score in SCORES:
            for stride, cell in own[own["score"] == score].groupby("stride"):
                yield (str(definition), score, int(stride)), cell


def _compare(differences: pd.Series, relation: Relation) -> tuple[float, float, int, int, bool | None]:
    d = differences.dropna().to_numpy(dtype=np.float64)
    if d.size == 0:
        return math.nan, math.nan, 0, 0, None
    mean, error = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(d.size) if d.size > 1 else 0.0
    if relation == "above":
        return mean, error, d.size, int((d > 0).sum()), mean > 0
    return mean, error, d.size, int((d <= 0).sum()), mean <= TOLERANCE * error


def _reasons(checks: pd.DataFrame, scores: pd.DataFrame) -> list[str | None]:
    """The commonest reason of an undefined value of the two controls, where no image has both."""
    found: list[str | None] = []
    for check in checks.itertuples():
        if check.images:
            found.append(None)
            continue
        cell = scores[
            (scores["definition"] == check.definition)
            & (scores["score"] == check.score)
            & (scores["stride"] == check.stride)
            & scores["control"].isin([check.control, check.other])
            & scores["value"].isna()
        ]
        found.append(str(cell["reason"].mode().iloc[0]))
    return found
