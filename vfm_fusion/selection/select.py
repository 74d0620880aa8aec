"""Choice of master, auxiliary and injection stride from encoder profiles (paper, Sec. 3.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.errors import SelectionError
from vfm_fusion.selection.candidates import EncoderProfiles, Pair, encoder_profiles
from vfm_fusion.selection.explanation import null_warnings, reasons
from vfm_fusion.selection.rule import SCORES, Score, choose, levels, peaks, role_scores
from vfm_fusion.selection.ruled_strides import RuledStrides
from vfm_fusion.selection.stride_score import rule_named


def select(
    summaries: Mapping[str, pd.DataFrame],
    dataset: str,
    settings: SelectionConfig,
    pairs: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Chooses the pair and the stride.

    An encoder's level of a score is its mean over the strides at which the score is defined for every
    encoder, so that all are compared on the same ones. For task ``semantic`` the master is the
    encoder with the highest SC and the auxiliary the one of the others with the highest EF; for task
    ``edge`` it is the other way round. The injection stride is s* = argmax_s EF_aux(s) (Eq. 9), or of SC
    with ``stride_by: sc``. The reverse direction of the same pair is chosen by the same rule with the roles
    swapped. Another ``settings.rule`` sets both strides by another score; nothing else changes.

    The null floor never changes the choice, but gives warnings, see :func:`null_warnings`.

    Args:
        summaries: encoder -> columns ``definition, stride, score, mean, ci_low``, one row each (further
            columns are ignored), with the scores ``sc_excess`` and ``ef_excess`` where there are nulls; see
            :func:`vfm_fusion.metrics.profile.summarise` and
            :func:`vfm_fusion.profiles.null_excess.with_excess`.
        dataset: name of the profiled data set.
        settings: definition, task and stride criterion.
        pairs: measures of pairs of encoders, which some rules read; None where the rule reads none.

    Returns:
        Plain data for ``selection.json``: ``dataset, definition, task, stride_by, master, auxiliary, stride,
        reverse, peaks, ranks, strides, margins, reasons, warnings``. ``peaks`` are of every profiled encoder,
        the rest of those that may be chosen. ``strides[encoder][stride]`` holds mean, null, their ratio and
        the lower end of the excess: ``sc, sc_null, sc_ratio, sc_excess_low, ef, ef_null, ef_ratio,
        ef_excess_low``. Undefined values are None. Another rule than the paper's adds ``rule``, see
        :meth:`~vfm_fusion.selection.ruled_strides.RuledStrides.recorded`.

    Raises:
        SelectionError: fewer than two encoders, one without a profile by this definition, without a single
            defined SC or EF or with a null but no excess, no stride at which all have a score, or a rule
            whose score is undefined at all of them.
    """
    if len(summaries) < 2:
        raise SelectionError(f"a pair needs two encoders, found {len(summaries)}: {', '.join(summaries)}")
    candidates = {name: summaries[name] for name in settings.among or summaries}
    profiles = encoder_profiles(candidates, settings.definition)
    ranks = {score: _ranking(profiles, score) for score in SCORES}
    highest = _peaks(profiles, summaries, settings)
    pair, reverse, ruled = _directions(profiles, highest, summaries, settings, pairs)
    warnings = null_warnings(profiles, pair, reverse, settings)
    return {
        "dataset": dataset,
        "definition": settings.definition,
        "task": settings.task,
        "stride_by": settings.stride_by,
        **({} if ruled is None else {"rule": ruled.recorded(pair)}),
        **asdict(pair),
        "reverse": asdict(reverse),
        "peaks": highest,
        **_evidence(profiles, ranks, pair, settings, ruled),
        "reasons": [*reasons(profiles, pair, reverse, ranks, settings, ruled), *warnings],
        "warnings": warnings,
    }


def _peaks(
    profiles: EncoderProfiles, summaries: Mapping[str, pd.DataFrame], settings: SelectionConfig
) -> dict[str, int]:
    """Where every encoder's score peaks; those that may not be chosen are looked at alone."""
    highest = {
        encoder: peak(profiles, encoder, settings.stride_by) for encoder in settings.among or summaries
    }
    for encoder in [name for name in summaries if name not in highest]:
        alone = encoder_profiles({encoder: summaries[encoder]}, settings.definition)
        highest[encoder] = peak(alone, encoder, settings.stride_by)
    return highest


def _directions(
    profiles: EncoderProfiles,
    highest: Mapping[str, int],
    summaries: Mapping[str, pd.DataFrame],
    settings: SelectionConfig,
    pairs: pd.DataFrame | None,
) -> tuple[Pair, Pair, RuledStrides | None]:
    """The pair and its reverse, each with its stride; and the strides of another rule than the paper's."""
    chosen = choose(profiles.means("sc"), profiles.means("ef"), settings.task, settings.stride_by)
    master, auxiliary = (profiles.encoders[int(role[0])] for role in (chosen.master, chosen.auxiliary))
    pair, reverse = Pair(master, auxiliary, highest[auxiliary]), Pair(auxiliary, master, highest[master])
    score = rule_named(settings.rule)
    if score is None:
        return pair, reverse, None
    ruled = RuledStrides(settings.rule, score, settings.definition, summaries, pairs)
    pair, reverse = (replace(one, stride=ruled.stride(one.master, one.auxiliary)) for one in (pair, reverse))
    return pair, reverse, ruled


def _evidence(
    profiles: EncoderProfiles,
    ranks: Mapping[Score, list[tuple[str, float]]],
    pair: Pair,
    settings: SelectionConfig,
    ruled: RuledStrides | None,
) -> dict[str, Any]:
    """Returns the numbers that a choice rests on, as plain data."""
    lead, brought = role_scores(settings.task)
    others = [item for item in ranks[brought] if item[0] != pair.master]
    at_strides = (
        profiles.means(settings.stride_by)[0, profiles.encoders.index(pair.auxiliary)].tolist()
        if ruled is None
        else [*ruled.values(pair.master, pair.auxiliary).values()]
    )
    return {
        "ranks": {
            score: [{"encoder": encoder, "value": value} for encoder, value in ranking]
            for score, ranking in ranks.items()
        },
        "strides": {
            encoder: {str(stride): scores for stride, scores in profiles.scores[encoder].items()}
            for encoder in profiles.encoders
        },
        "margins": {
            "master": _margin(ranks[lead], pair.master),
            "auxiliary": _margin(others, pair.auxiliary),
            "stride": _stride_margin(at_strides),
        },
    }


def _ranking(profiles: EncoderProfiles, score: Score) -> list[tuple[str, float]]:
    """Encoders from the highest to the lowest level; equal ones in alphabetical order."""
    values = levels(profiles.means(score))[0]
    ranking = [(encoder, float(value)) for encoder, value in zip(profiles.encoders, values, strict=True)]
    return sorted(ranking, key=lambda item: (-item[1], item[0]))


def peak(profiles: EncoderProfiles, encoder: str, score: Score) -> int:
    """Stride with the highest score; the finer one of equals."""
    position = peaks(profiles.means(score))[0, profiles.encoders.index(encoder)]
    return profiles.strides[int(position)]


def _margin(ranking: list[tuple[str, float]], chosen: str) -> float | None:
    """How far the chosen encoder is ahead of the next one; None where there is no other."""
    others = [value for encoder, value in ranking if encoder != chosen]
    return dict(ranking)[chosen] - max(others) if others else None


def _stride_margin(at_strides: Sequence[float]) -> float | None:
    values = sorted((value for value in at_strides if math.isfinite(value)), reverse=True)
    return values[0] - values[1] if len(values) > 1 else None
