"""What other values of the metric settings do to levels, ranks and the choice of a pair (paper, App. A.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vfm_fusion.config.sensitivity import JOINT, scores_of
from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.result_files import check_columns
from vfm_fusion.selection.candidates import Pair
from vfm_fusion.selection.rule import ROUNDING, SCORES, Choices, Score, Task, choose, levels, shared_strides

SWEEP_COLUMNS = ("image_id", "setting", "setting_value", "baseline", "stride", "score", "value", "reason")

_VARIANT = ["setting", "setting_value"]
_FINE_FRACTION = 16
"""From this denominator on, a power of two is shown as a fraction: 1/64, not 0.015625."""


@dataclass(frozen=True)
class Effect:
    """What one value of one setting leads to, all others as in the baseline.

    Attributes:
        setting: name, or several joined by ``+``.
        value: value as JSON.
        baseline: whether that is the baseline's value.
        levels: score -> encoder -> mean over images and ``strides``; NaN where there is no stride.
        ranks: score -> encoder -> 1 for the highest level, the same for equal ones; empty if there is none.
        strides: score -> the strides at which it is defined for every encoder.
        reasons: score -> the most common reason of an undefined value; empty where all are defined.
        choice: what the selection rule makes of these levels; None where it has no answer.
    """

    setting: str
    value: str
    baseline: bool
    levels: Mapping[Score, Mapping[str, float]]
    ranks: Mapping[Score, Mapping[str, int]]
    strides: Mapping[Score, tuple[int, ...]]
    reasons: Mapping[Score, str]
    choice: Pair | None


@dataclass(frozen=True)
class Sensitivity:
    """The effects of all swept settings.

    Attributes:
        encoders: in alphabetical order.
        images: number of images.
        means: number of means over images behind the levels.
        partial: how many of them leave out images on which the score is undefined.
        effects: setting after setting, values ascending; each setting has its baseline among them.
    """

    encoders: tuple[str, ...]
    images: int
    means: int
    partial: int
    effects: tuple[Effect, ...]

    @property
    def baseline(self) -> Effect:
        """The effect of changing nothing."""
        return next(effect for effect in self.effects if effect.baseline)

    @property
    def variants(self) -> list[Effect]:
        """All but the baselines."""
        return [effect for effect in self.effects if not effect.baseline]

    def of(self, score: Score) -> dict[str, list[Effect]]:
        """Returns the settings that a score depends on, each with its effects."""
        settings = dict.fromkeys(e.setting for e in self.effects if score in scores_of(e.setting))
        return {setting: [e for e in self.effects if e.setting == setting] for setting in settings}


def read_sweeps(files: Mapping[str, Path]) -> pd.DataFrame:
    """Reads and joins the sweeps of several encoders (Parquet, see ``metrics.sensitivity.sweep_image``).

    Args:
        files: encoder key to its sweep.

    Returns:
        ``encoder`` and ``SWEEP_COLUMNS``.

    Raises:
        ReportingError: a missing column, or encoders that were swept on other images, settings or strides.
    """
    frames = {encoder: pd.read_parquet(path) for encoder, path in files.items()}
    cells = {}
    for encoder, frame in frames.items():
        check_columns(frame, SWEEP_COLUMNS, files[encoder])
        cells[encoder] = set(frame[["image_id", *_VARIANT, "stride", "score"]].itertuples(index=False))
    first = next(iter(files))
    for encoder in files:
        if cells[encoder] != cells[first]:
            raise ReportingError(
                f"{first} and {encoder} were swept on other images, settings or strides; sweep both again"
            )
    joined = pd.concat(frames, names=["encoder"]).reset_index(level="encoder")
    return joined[["encoder", *SWEEP_COLUMNS]].reset_index(drop=True)


def sensitivity_of(sweeps: pd.DataFrame, task: Task, stride_by: Score) -> Sensitivity:
    """Averages sweeps over images and applies the selection rule to every variant.

    Args:
        sweeps: see :func:`read_sweeps`.
        task: see :func:`~vfm_fusion.selection.rule.choose`.
        stride_by: see :func:`~vfm_fusion.selection.rule.choose`.
    """
    encoders = tuple(sorted(sweeps["encoder"].unique()))
    strides = tuple(sorted(int(stride) for stride in sweeps["stride"].unique()))
    shown = sweeps[sweeps["score"].isin(list(SCORES))]
    variants = shown[[*_VARIANT, "baseline"]].drop_duplicates(ignore_index=True)
    rows = pd.MultiIndex.from_frame(variants[_VARIANT])
    columns = pd.MultiIndex.from_product([encoders, strides])
    shape = (len(variants), len(encoders), len(strides))
    means = {
        score: shown[shown["score"] == score]
        .pivot_table(index=_VARIANT, columns=["encoder", "stride"], values="value", dropna=False)
        .reindex(index=rows, columns=columns)
        .to_numpy(np.float64)
        .reshape(shape)
        for score in SCORES
    }
    choices = choose(means["sc"], means["ef"], task, stride_by)
    reasons = shown[shown["reason"].notna()].groupby([*_VARIANT, "score"])["reason"].agg(_most_common)
    of_score = {score: (levels(means[score]), shared_strides(means[score])) for score in SCORES}
    effects = tuple(
        Effect(
            setting=setting,
            value=value,
            baseline=bool(baseline),
            levels={s: dict(zip(encoders, of_score[s][0][row].tolist(), strict=True)) for s in SCORES},
            ranks={s: _ranks(encoders, of_score[s][0][row]) for s in SCORES},
            strides={s: tuple(np.array(strides)[of_score[s][1][row]].tolist()) for s in SCORES},
            reasons={s: reasons.get((setting, value, s), "") for s in SCORES},
            choice=_choice(choices, row, encoders, strides),
        )
        for row, (setting, value, baseline) in enumerate(variants.itertuples(index=False))
    )
    defined = shown.groupby([*_VARIANT, "score", "encoder", "stride"])["value"].agg(["count", "size"])
    partial = (defined["count"] > 0) & (defined["count"] < defined["size"])
    return Sensitivity(encoders, sweeps["image_id"].nunique(), len(defined), int(partial.sum()), effects)


def shown_setting(setting: str) -> str:
    """Names a setting in print.

    >>> shown_setting("r_in+r_out")
    'r_in, r_out'
    """
    return setting.replace(JOINT, ", ")


def shown_value(value: str) -> str:
    """Shows a value, given as JSON, in print.

    >>> [shown_value(text) for text in ("[6, 8, 10]", "0.015625", "0.15", "true", '"outside_core"', "null")]
    ['6, 8, 10', '1/64', '0.15', 'on', 'outside core', 'none']
    """
    return _shown(json.loads(value))


def listed(effects: Sequence[Effect]) -> str:
    """Lists variants: ``grid = 2, 16; clusters = (4, 6, 8)``."""
    values: dict[str, list[str]] = {}
    for effect in effects:
        text = shown_value(effect.value)
        values.setdefault(effect.setting, []).append(f"({text})" if "," in text else text)
    return "; ".join(f"{shown_setting(setting)} = {', '.join(texts)}" for setting, texts in values.items())


def order_sentence(sensitivity: Sensitivity, score: Score) -> str:
    """Says in how many variants the encoders keep their ranks; empty if no setting of the score is swept."""
    variants = [
        effect for effects in sensitivity.of(score).values() for effect in effects if not effect.baseline
    ]
    if not variants:
        return ""
    name, ranks = score.upper(), sensitivity.baseline.ranks[score]
    undefined = [effect for effect in variants if not effect.ranks[score]]
    changed = [effect for effect in variants if effect.ranks[score] and effect.ranks[score] != ranks]
    same = len(variants) - len(undefined) - len(changed)
    text = f"The {name} order of the encoders is unchanged in {same} of {len(variants)} variants"
    if changed:
        text += f"; it changes for {listed(changed)}"
    if undefined:
        text += f"; {name} is undefined at every stride for {listed(undefined)}"
    return text + "."


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "on", False: "off"}[value]
    if isinstance(value, str):
        return value.replace("_", " ")
    exact = Fraction(value)
    fine = exact.numerator == 1 and exact.denominator >= _FINE_FRACTION
    return str(exact) if fine else f"{value:g}"


def _most_common(reasons: pd.Series[str]) -> str:
    return reasons.mode().iloc[0].replace("_", " ")


def _ranks(encoders: Sequence[str], values: NDArray[np.float64]) -> dict[str, int]:
    if np.isnan(values).any():
        return {}
    higher = values[None, :] > (values + ROUNDING * np.abs(values))[:, None]
    return dict(zip(encoders, (1 + higher.sum(axis=1)).tolist(), strict=True))


def _choice(choices: Choices, row: int, encoders: Sequence[str], strides: Sequence[int]) -> Pair | None:
    if choices.master[row] < 0:
        return None
    return Pair(encoders[choices.master[row]], encoders[choices.auxiliary[row]], strides[choices.stride[row]])
