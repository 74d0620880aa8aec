"""Choice of master, auxiliary and injection stride from encoder profiles (paper, Sec. 3.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.errors import SelectionError

Score = Literal["sc", "ef"]
_NAMES = {"sc": "Structural Coherence", "ef": "Edge Fidelity"}


@dataclass(frozen=True)
class Pair:
    """One direction of a fusion.

    Attributes:
        master: encoder that provides the pyramid.
        auxiliary: encoder that is injected.
        stride: output stride s* at which it is injected.
    """

    master: str
    auxiliary: str
    stride: int


def select(summaries: Mapping[str, pd.DataFrame], dataset: str, settings: SelectionConfig) -> dict[str, Any]:
    """Chooses the pair and the stride.

    An encoder's level of a score is its mean over the strides at which the score is defined for every
    encoder, so that all are compared on the same ones. For task ``semantic`` the master is the
    encoder with the highest SC and the auxiliary the one of the others with the highest EF; for task
    ``edge`` it is the other way round. The injection stride is s* = argmax_s EF_aux(s) (Eq. 9), or of SC
    with ``stride_by: sc``. The reverse direction of the same pair is chosen by the same rule with the roles
    swapped.

    Args:
        summaries: encoder -> columns ``stride, score, mean`` (further columns are ignored).
        dataset: name of the profiled data set.
        settings: task and stride criterion.

    Returns:
        Plain data for ``selection.json``: ``dataset, task, stride_by, master, auxiliary, stride, reverse,
        ranks, strides, margins, reasons``. Undefined values are None.

    Raises:
        SelectionError: fewer than two encoders, an encoder without a single defined SC or EF, or no stride at
            which all have one.
    """
    if len(summaries) < 2:
        raise SelectionError(f"a pair needs two encoders, found {len(summaries)}: {', '.join(summaries)}")
    profiles = {encoder: _profile(encoder, table) for encoder, table in summaries.items()}
    ranks = {score: _ranking(profiles, score) for score in _NAMES}
    lead, help_ = ("sc", "ef") if settings.task == "semantic" else ("ef", "sc")
    master = ranks[lead][0][0]
    auxiliary = next(encoder for encoder, _ in ranks[help_] if encoder != master)
    pair = Pair(master, auxiliary, _peak(profiles[auxiliary], settings.stride_by))
    reverse = Pair(auxiliary, master, _peak(profiles[master], settings.stride_by))
    return {
        "dataset": dataset,
        "task": settings.task,
        "stride_by": settings.stride_by,
        **asdict(pair),
        "reverse": asdict(reverse),
        "peaks": {encoder: _peak(profile, settings.stride_by) for encoder, profile in profiles.items()},
        "ranks": {
            score: [{"encoder": encoder, "value": value} for encoder, value in ranking]
            for score, ranking in ranks.items()
        },
        "strides": {
            encoder: {str(stride): scores for stride, scores in profile.items()}
            for encoder, profile in profiles.items()
        },
        "margins": {
            "master": _margin(ranks[lead], master),
            "auxiliary": _margin([item for item in ranks[help_] if item[0] != master], auxiliary),
            "stride": _stride_margin(profiles[auxiliary], settings.stride_by),
        },
        "reasons": _reasons(pair, reverse, profiles, ranks, lead, help_, settings),
    }


def _profile(encoder: str, table: pd.DataFrame) -> dict[int, dict[Score, float | None]]:
    """Returns ``{stride: {"sc": mean, "ef": mean}}`` with None for undefined means."""
    profile: dict[int, dict[Score, float | None]] = {}
    for stride in sorted(int(s) for s in table["stride"].unique()):
        rows = table[table["stride"] == stride].set_index("score")["mean"]
        profile[stride] = {score: _defined(rows.get(score)) for score in ("sc", "ef")}
    for score in ("sc", "ef"):
        if all(values[score] is None for values in profile.values()):
            raise SelectionError(
                f"{encoder}: {_NAMES[score]} is undefined at every stride, so the encoder cannot be ranked; "
                "see the reasons in its profile (a finer map or a smaller metrics.definitions.*.grid may help)"
            )
    return profile


def _defined(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _common_strides(profiles: Mapping[str, dict], score: Score) -> list[int]:
    """Strides at which the score is defined for every encoder, ascending."""
    defined = [
        {s for s, scores in profile.items() if scores[score] is not None} for profile in profiles.values()
    ]
    common = sorted(set.intersection(*defined))
    if not common:
        raise SelectionError(
            f"there is no stride at which {_NAMES[score]} is defined for all of {', '.join(profiles)}; "
            "see the reasons in their profiles"
        )
    return common


def _ranking(profiles: Mapping[str, dict], score: Score) -> list[tuple[str, float]]:
    """Encoders from the highest to the lowest level; equal ones in alphabetical order."""
    strides = _common_strides(profiles, score)
    levels = [
        (encoder, sum(profile[stride][score] for stride in strides) / len(strides))
        for encoder, profile in profiles.items()
    ]
    return sorted(levels, key=lambda item: (-item[1], item[0]))


def _peak(profile: dict[int, dict[Score, float | None]], score: Score) -> int:
    """Stride with the highest score; the finer one of equals."""
    defined = {stride: scores[score] for stride, scores in profile.items() if scores[score] is not None}
    return max(defined, key=lambda stride: (defined[stride], -stride))


def _margin(ranking: list[tuple[str, float]], chosen: str) -> float | None:
    """How far the chosen encoder is ahead of the next one; None where there is no other."""
    others = [value for encoder, value in ranking if encoder != chosen]
    return dict(ranking)[chosen] - max(others) if others else None


def _stride_margin(profile: dict[int, dict[Score, float | None]], score: Score) -> float | None:
    values = sorted((s[score] for s in profile.values() if s[score] is not None), reverse=True)
    return values[0] - values[1] if len(values) > 1 else None


def _reasons(
    pair: Pair,
    reverse: Pair,
    profiles: Mapping[str, dict],
    ranks: Mapping[str, list[tuple[str, float]]],
    lead: Score,
    help_: Score,
    settings: SelectionConfig,
) -> list[str]:
    """The decision in words, every number computed."""
    by = settings.stride_by
    peak = profiles[pair.auxiliary][pair.stride][by]
    rest = ", ".join(
        f"{scores[by]:.3g} at OS={stride}"
        for stride, scores in profiles[pair.auxiliary].items()
        if stride != pair.stride and scores[by] is not None
    )
    reasons = [
        f"Task '{settings.task}' asks for a master with high {_NAMES[lead]}: {pair.master} leads with a mean "
        f"{lead.upper()} of {dict(ranks[lead])[pair.master]:.3g} over {_over(profiles, lead)} "
        f"({_others(ranks[lead], pair.master)}).",
        f"The auxiliary brings {_NAMES[help_]}: of the other encoders {pair.auxiliary} has the highest mean "
        f"{help_.upper()}, {dict(ranks[help_])[pair.auxiliary]:.3g} "
        f"({_others(ranks[help_], pair.auxiliary)}).",
        f"It is injected where its {by.upper()} peaks: OS={pair.stride} with {peak:.3g} "
        f"({rest or 'the only stride'}).",
        f"In the other direction {reverse.auxiliary} is injected into {reverse.master} at "
        f"OS={reverse.stride}.",
    ]
    if ranks[help_][0][0] == pair.master:
        reasons.append(
            f"{pair.master} leads in {_NAMES[help_]} as well, so the two scores do not separate these "
            f"encoders "
            "into complementary ones; the pair is the best the rule can offer."
        )
    return reasons


def _others(ranking: list[tuple[str, float]], chosen: str) -> str:
    return ", ".join(f"{encoder} {value:.3g}" for encoder, value in ranking if encoder != chosen)


def _over(profiles: Mapping[str, dict], score: Score) -> str:
    """The strides that the ranking compares, and why some are missing."""
    common = _common_strides(profiles, score)
    missing = sorted({stride for profile in profiles.values() for stride in profile} - set(common))
    text = f"OS {', '.join(map(str, common))}"
    return f"{text} (undefined for some encoder at {', '.join(map(str, missing))})" if missing else text
