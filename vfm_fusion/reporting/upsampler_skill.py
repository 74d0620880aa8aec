"""Whether scores of upsampled maps know which upsampler wins the clicks.

    rank_correlations(cells: pd.DataFrame, bootstrap: Bootstrap, scores=SCORES) -> pd.DataFrame
    winners(cells: pd.DataFrame, scores=SCORES) -> pd.DataFrame
    upsampler_skills(cells, bootstrap, seeds: int, scores=SCORES) -> dict[str, UpsamplerSkill]

``cells`` has one row per :data:`CELL` with ``NoC`` (clicks, averaged over seeds; fewer is better) and a
column for every score (higher is better); NaN where undefined. Any column can be a score: ``parameters``,
say, asks whether the largest upsampler wins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from vfm_fusion.errors import ReportingError
from vfm_fusion.metrics.bootstrap import bootstrap_draws, percentile_interval
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.significance import correlate
from vfm_fusion.reporting.stride_suggestion import HitRate, Suggestion, hit_rate, judge
from vfm_fusion.reporting.verdicts import Outcome, part, weigh

CELL = ("dataset", "clicks", "encoder", "upsampler")
"""Data set that is clicked, click model, encoder and upsampler, by name."""
SCORES = ("SC", "EF", "probe_mIoU")
ENCODER, WITHIN, POOLED = "encoder", "within", "pooled"
"""Scopes of a correlation: the upsamplers of one encoder, the mean of these, all cells as one list."""

_SETTING = ["dataset", "clicks", "encoder"]
_WHERE = ["dataset", "clicks"]


class _Correlation(NamedTuple):
    score: str
    dataset: str
    clicks: str
    scope: str
    encoder: str
    rho: float
    low: float
    high: float
    p: float
    n: int
    reason: str


class _Winner(NamedTuple):
    score: str
    dataset: str
    clicks: str
    encoder: str
    taken: str
    best: str
    hit: float
    regret: float
    chance: float
    random_regret: float
    n: int
    reason: str


@dataclass(frozen=True)
class UpsamplerSkill:
    """What a score knows of the upsamplers.

    Attributes:
        score: its name.
        rho: mean of Spearman's correlation with fewer clicks over all encoders, data sets and click models,
            and its interval, upsamplers resampled; ``n`` counts what is averaged.
        rate: how often the upsampler of the highest score needs the fewest clicks, and how many more clicks
            it needs than the best (``regret``), beside an upsampler that is drawn at random.
        outcome: ``agrees`` where the score knew; weighed over data sets and click models.
    """

    score: str
    rho: Value
    rate: HitRate
    outcome: Outcome


def rank_correlations(
    cells: pd.DataFrame, bootstrap: Bootstrap, scores: Sequence[str] = SCORES
) -> pd.DataFrame:
    """Correlates the ranks of scores with those of clicks, such that +1 is a score that knew.

    Args:
        cells: see the module.
        bootstrap: resamples behind the intervals, and their seed. Cells are resampled; the upsamplers of
            several encoders together, since an upsampler is the same for all of them.
        scores: columns of ``cells``.

    Returns:
        One row per score, data set, click model and scope (:data:`ENCODER`, :data:`WITHIN`, :data:`POOLED`):
        ``score, dataset, clicks, scope, encoder`` (empty but for the first scope), ``rho, low, high`` (95 %
        percentile bootstrap), ``p`` (two-sided; NaN for ``within``), ``n`` (cells that are defined) and
        ``reason`` (why rho is undefined; empty otherwise).

    Raises:
        ReportingError: a column is missing, or a cell occurs twice.
    """
    _check(cells, scores)
    rows = []
    for score in scores:
        for where, group in cells.groupby(_WHERE, sort=False):
            encoders = [(str(name), _pairs(of, score)) for name, of in group.groupby("encoder", sort=False)]
            scopes = [(ENCODER, name, [pairs]) for name, pairs in encoders]
            scopes.append((WITHIN, "", [pairs for _, pairs in encoders]))
            scopes.append((POOLED, "", [_pairs(group, score)]))
            for scope, name, lists in scopes:
                rows.append(_Correlation(score, *where, scope, name, *_correlated(lists, bootstrap)))
    return pd.DataFrame(rows, columns=_Correlation._fields)


def winners(cells: pd.DataFrame, scores: Sequence[str] = SCORES) -> pd.DataFrame:
    """Compares the upsampler of the highest score with that of the fewest clicks.

    Args:
        cells: see the module.
        scores: columns of ``cells``.

    Returns:
        One row per score, data set, click model and encoder: ``taken`` and ``best`` upsampler (the first of
        equals; ``taken`` itself where none is better), ``hit`` (1 or 0), ``regret`` (clicks more than the
        best), ``chance`` and ``random_regret`` of an upsampler drawn at random, ``n`` (upsamplers) and
        ``reason``, for which nothing can be said: the numbers are then NaN, the names empty.

    Raises:
        ReportingError: a column is missing, or a cell occurs twice.
    """
    _check(cells, scores)
    rows = []
    for score, key, names, found in _judged(cells, scores):
        if isinstance(found, str):
            rows.append(_Winner(score, *key, "", "", *[math.nan] * 4, len(names), found))
            continue
        told = float(bool(found.hit)), found.regret, found.chance, found.random_regret
        rows.append(_Winner(score, *key, names[found.stride], names[found.best], *told, len(names), ""))
    return pd.DataFrame(rows, columns=_Winner._fields)


def upsampler_skills(
    cells: pd.DataFrame, bootstrap: Bootstrap, seeds: int, scores: Sequence[str] = SCORES
) -> dict[str, UpsamplerSkill]:
    """Sums up what every score knows.

    A data set with a click model is a part of the verdict; it takes a side where the interval of the mean
    correlation within encoders is clear of zero (:mod:`vfm_fusion.reporting.verdicts`).

    Args:
        cells: see the module.
        bootstrap: see :func:`rank_correlations`.
        seeds: trainings behind a cell.
        scores: columns of ``cells``.

    Raises:
        ReportingError: a column is missing, or a cell occurs twice.
    """
    correlations = rank_correlations(cells, bootstrap, scores)
    judged = list(_judged(cells, scores))
    skills = {}
    for score in scores:
        within = correlations[(correlations["score"] == score) & (correlations["scope"] == WITHIN)]
        parts = [
            part(Value(row.rho, low=row.low, high=row.high).sign, seeds=seeds, settings=row.n)
            for row in within.itertuples()
        ]
        lists = [_pairs(of, score) for _, of in cells.groupby(_SETTING, sort=False)]
        rho, low, high, _, _, reason = _correlated(lists, bootstrap)
        defined = sum(not correlate(pairs).reason for pairs in lists)
        suggestions = [found for name, *_, found in judged if name == score and isinstance(found, Suggestion)]
        skills[score] = UpsamplerSkill(
            score,
            Value(rho, low=low, high=high, n=defined, reason=reason),
            hit_rate(suggestions),
            weigh(parts),
        )
    return skills


def _check(cells: pd.DataFrame, scores: Sequence[str]) -> None:
    missing = [column for column in (*CELL, "NoC", *scores) if column not in cells]
    if missing:
        raise ReportingError(f"cells: {missing} are missing; there are the columns {list(cells)}")
    twice = cells.duplicated(list(CELL))
    if twice.any():
        first = cells.loc[twice, list(CELL)].iloc[0].to_dict()
        raise ReportingError(f"cells: {first} occurs twice; average NoC over seeds first")


def _pairs(cells: pd.DataFrame, score: str) -> np.ndarray:
    """Score and minus NoC of the cells where both are defined, by upsampler, ``(n, 2)`` float64."""
    pairs = cells.sort_values("upsampler", kind="stable")[[score, "NoC"]].to_numpy(dtype=np.float64)
    return pairs[~np.isnan(pairs).any(axis=1)] * [1.0, -1.0]


def _correlated(
    lists: Sequence[np.ndarray], bootstrap: Bootstrap
) -> tuple[float, float, float, float, int, str]:
    """Mean rank correlation of lists of pairs ``(n, 2)``: rho, low, high, p, n, reason."""
    n = sum(len(pairs) for pairs in lists)
    every = [correlate(pairs) for pairs in lists]
    kept = [pairs for pairs, found in zip(lists, every, strict=True) if not found.reason]
    if not kept:
        reason = every[0].reason if every else "there is no cell"
        return math.nan, math.nan, math.nan, math.nan, n, reason
    rho = float(np.mean([found.rho for found in every if not found.reason]))
    p = every[0].p if len(lists) == 1 else math.nan
    return rho, *_interval(kept, bootstrap), p, n, ""


def _interval(lists: Sequence[np.ndarray], bootstrap: Bootstrap) -> tuple[float, float]:
    """Interval of the mean rank correlation; NaN where most resamples have no two values of a side."""
    resampled = np.stack([_resampled_rho(pairs, bootstrap) for pairs in lists])  # (lists, resamples)
    there = ~np.isnan(resampled)
    defined = there.any(axis=0)
    if 2 * defined.sum() <= defined.size:
        return math.nan, math.nan
    means = np.nansum(resampled, axis=0)[defined] / there.sum(axis=0)[defined]
    return percentile_interval(means)


def _resampled_rho(pairs: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Rank correlation of every resample of pairs ``(n, 2)``, NaN where a side is one value."""
    drawn = pairs[bootstrap_draws(len(pairs), bootstrap.resamples, bootstrap.seed)]  # (resamples, n, 2)
    ranks = rankdata(drawn, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    product, power = ranks.prod(axis=2).sum(axis=1), np.square(ranks).sum(axis=1).prod(axis=1)
    return np.where(power > 0, product / np.sqrt(np.where(power > 0, power, 1.0)), math.nan)


def _judged(
    cells: pd.DataFrame, scores: Sequence[str]
) -> Iterator[tuple[str, tuple[str, ...], list[str], Suggestion | str]]:
    """Score, setting, its upsamplers and what the score says of them, by position; or why it says nothing."""
    for score in scores:
        for key, of in cells.groupby(_SETTING, sort=False):
            names = [str(name) for name in of["upsampler"]]
            clicks, values = of["NoC"].tolist(), of[score].tolist()
            unknown = [name for name, value in zip(names, clicks, strict=True) if math.isnan(value)]
            found: Suggestion | str
            if len(names) < 2:
                found = "there is one upsampler"
            elif unknown:
                found = f"no NoC of {', '.join(unknown)}"
            elif all(map(math.isnan, values)):
                found = f"{score} is undefined"
            else:
                found = judge(dict(enumerate(values)), {i: -value for i, value in enumerate(clicks)})
            yield score, tuple(map(str, key)), names, found
