"""A selection in words: why this pair and stride, and what does not clear its null floor."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vfm_fusion.config.selection import PEAK, SelectionConfig
from vfm_fusion.profiles.null_excess import EXCESS
from vfm_fusion.selection.candidates import EncoderProfiles, Pair
from vfm_fusion.selection.rule import SCORES, Score, role_scores
from vfm_fusion.selection.ruled_strides import RuledStrides

NO_NULL = (
    "No null floor was computed (metrics.definitions.*.null_draws), so it is not known whether these scores "
    "exceed those of the same features in random order."
)

Ranks = Mapping[str, Sequence[tuple[str, float]]]


@dataclass(frozen=True)
class Claim:
    """A number that the choice rests on.

    Attributes:
        role: what it stands for, e.g. ``master's level``.
        encoder: whose score it is.
        score: which score.
        strides: strides that it is averaged over.
        value: mean.
        null: mean of the nulls; None where one is undefined.
        excess_low: mean of the lower ends of the intervals of value - null; None where one is undefined.
    """

    role: str
    encoder: str
    score: Score
    strides: tuple[int, ...]
    value: float
    null: float | None
    excess_low: float | None

    def __str__(self) -> str:
        where = "mean " if len(self.strides) > 1 else ""
        at = "OS " + ", ".join(map(str, self.strides))
        return f"{self.encoder}'s {where}{self.score.upper()} at {at}"


def reasons(
    profiles: EncoderProfiles,
    pair: Pair,
    reverse: Pair,
    ranks: Ranks,
    settings: SelectionConfig,
    ruled: RuledStrides | None = None,
) -> list[str]:
    """Returns the decision in sentences, every number computed."""
    lead, brought = role_scores(settings.task)
    sentences = [
        f"The master is to have high {SCORES[lead]} (selection.task: {settings.task}, whatever task the "
        f"runs learn): {pair.master} leads with a mean {lead.upper()} of "
        f"{dict(ranks[lead])[pair.master]:.3g} over {_over(profiles, lead)} "
        f"({_others(ranks[lead], pair.master)}).",
        f"The auxiliary brings {SCORES[brought]}: of the other encoders {pair.auxiliary} has the highest "
        f"mean {brought.upper()}, {dict(ranks[brought])[pair.auxiliary]:.3g} "
        f"({_others(ranks[brought], pair.auxiliary)}).",
        _stride_sentence(profiles, pair, settings, ruled),
        f"In the other direction {reverse.auxiliary} is injected into {reverse.master} at "
        f"OS={reverse.stride}.",
        _null_sentence(_claims(profiles, pair, reverse, settings)),
    ]
    if ranks[brought][0][0] == pair.master:
        sentences.append(
            f"{pair.master} leads in {SCORES[brought]} as well, so the two scores do not separate these "
            "encoders into complementary ones; the pair is the best the rule can offer."
        )
    return sentences


def _stride_sentence(
    profiles: EncoderProfiles, pair: Pair, settings: SelectionConfig, ruled: RuledStrides | None
) -> str:
    by = settings.stride_by
    if ruled is None:
        why = f"its {by.upper()} peaks"
        found = {stride: scores[by] for stride, scores in profiles.scores[pair.auxiliary].items()}
    else:
        why = f"{ruled.title} is highest (selection.rule: {ruled.rule})"
        values = ruled.values(pair.master, pair.auxiliary)
        found = {stride: None if math.isnan(value) else value for stride, value in values.items()}
    rest = ", ".join(
        f"{value:.3g} at OS={stride}"
        for stride, value in found.items()
        if stride != pair.stride and value is not None
    )
    return (
        f"It is injected where {why}: OS={pair.stride} with {found[pair.stride]:.3g} "
        f"({rest or 'the only stride'})."
    )


def null_warnings(
    profiles: EncoderProfiles, pair: Pair, reverse: Pair, settings: SelectionConfig
) -> list[str]:
    """Returns a sentence for every number behind the choice that does not clear its null; none if unknown.

    It clears it where the 95 % interval of its excess over the null, image by image, lies above zero. The
    lower end of a level's excess is taken as the mean of the lower ends at its strides, as if the strides
    were perfectly correlated.
    """
    warnings = []
    for claim in _claims(profiles, pair, reverse, settings):
        if claim.null is None or claim.excess_low is None or claim.excess_low > 0:
            continue
        if claim.value > claim.null:
            problem = f"the 95 % interval of their difference reaches down to {claim.excess_low:.3g}"
        else:
            problem = "the same features with their pixels in random order score no less"
        warnings.append(
            f"The {claim.role} does not clear its null: {claim} is {claim.value:.3g}, the null floor "
            f"{claim.null:.3g}; {problem}."
        )
    return warnings


def _claims(profiles: EncoderProfiles, pair: Pair, reverse: Pair, settings: SelectionConfig) -> list[Claim]:
    lead, brought = role_scores(settings.task)
    by = settings.stride_by
    claims = [
        _claim(profiles, "master's level", pair.master, lead, profiles.shared(lead)),
        _claim(profiles, "auxiliary's level", pair.auxiliary, brought, profiles.shared(brought)),
    ]
    if settings.rule == PEAK:
        claims += [
            _claim(profiles, "peak that sets the stride", pair.auxiliary, by, [pair.stride]),
            _claim(profiles, "peak of the other direction", reverse.auxiliary, by, [reverse.stride]),
        ]
    distinct = {(claim.encoder, claim.score, claim.strides): claim for claim in reversed(claims)}
    return list(reversed(distinct.values()))


def _claim(profiles: EncoderProfiles, role: str, encoder: str, score: Score, strides: Sequence[int]) -> Claim:
    value, null, low = (
        _mean([profiles.at(encoder, stride, key) for stride in strides])
        for key in (score, f"{score}_null", f"{EXCESS[score]}_low")
    )
    assert value is not None
    return Claim(role, encoder, score, tuple(strides), value, null, low)


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if len(defined) == len(values) else None


def _null_sentence(claims: Sequence[Claim]) -> str:
    known = [claim for claim in claims if claim.null is not None]
    if not known:
        return NO_NULL
    parts = [f"{claim}: {claim.value:.3g} against {claim.null:.3g}" for claim in known]
    unknown = [str(claim) for claim in claims if claim.null is None]
    missing = f" Undefined: the null of {', '.join(unknown)}." if unknown else ""
    return (
        f"Beside their null floors (the same features, pixels in random order): {'; '.join(parts)}.{missing}"
    )


def _others(ranking: Sequence[tuple[str, float]], chosen: str) -> str:
    return ", ".join(f"{encoder} {value:.3g}" for encoder, value in ranking if encoder != chosen)


def _over(profiles: EncoderProfiles, score: Score) -> str:
    """The strides that the ranking compares, and why some are missing."""
    shared = profiles.shared(score)
    missing = [stride for stride in profiles.strides if stride not in shared]
    text = f"OS {', '.join(map(str, shared))}"
    return f"{text} (undefined for some encoder at {', '.join(map(str, missing))})" if missing else text
