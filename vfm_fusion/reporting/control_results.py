"""The controls as every metric definition scores them, and where it ranks them right, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.metrics.controls import CONTROLS
from vfm_fusion.profiles.control_order import COMPARISONS, SCORES, TOLERANCE, check_controls, control_means
from vfm_fusion.reporting.cells import number, strides_in_words
from vfm_fusion.reporting.image_scores import read_image_scores
from vfm_fusion.reporting.verdicts import MIN_IMAGES, Outcome, every, part

RIGHT = "right"
DIGITS = 2
"""Decimals of a score in tables and sentences."""
NAMES = {
    "edges": "image edges",
    "blurred": "blurred edges",
    "smooth": "smooth regions",
    "noise": "white noise",
    "shuffled": "shuffled edges",
    "constant": "constant",
}
"""The controls in print."""


@dataclass(frozen=True)
class Controls:
    """The controls of a data set as every definition scores them.

    Attributes:
        images: ids of the images that they were made from.
        means: see :func:`~vfm_fusion.profiles.control_order.control_means`.
        checks: see :func:`~vfm_fusion.profiles.control_order.check_controls`.
    """

    images: tuple[str, ...]
    means: pd.DataFrame
    checks: pd.DataFrame

    @property
    def definitions(self) -> list[str]:
        """Names of the definitions, in their order."""
        return [str(name) for name in self.means["definition"].unique()]

    @property
    def strides(self) -> list[int]:
        """Output strides, ascending."""
        return sorted(int(stride) for stride in self.means["stride"].unique())

    def checks_of(self, definition: str, score: str, stride: int | None = None) -> pd.DataFrame:
        """Returns the checks of one definition and score, at one stride or at all."""
        own = self.checks[(self.checks["definition"] == definition) & (self.checks["score"] == score)]
        return own if stride is None else own[own["stride"] == stride]

    def mean(self, definition: str, score: str, stride: int, control: str) -> pd.Series:
        """Returns the row of ``means`` of one control."""
        key = {"definition": definition, "score": score, "stride": stride, "control": control}
        rows = self.means[(self.means[list(key)] == pd.Series(key)).all(axis=1)]
        return rows.iloc[0]


def read_controls(path: Path) -> Controls:
    """Reads what :func:`vfm_fusion.profiles.control_scores.score_controls` found (Parquet).

    Raises:
        ReportingError: a column, a control or a score of one is missing, or a row is there twice.
    """
    scores = read_image_scores(path, ["definition", "control"])
    return controls_of(scores, str(path))


def controls_of(scores: pd.DataFrame, where: str = "scores of controls") -> Controls:
    """Averages and checks the scores of controls.

    Raises:
        ReportingError: a control or a score of one is missing.
    """
    shown = scores[scores["score"].isin(["sc", "ef"])]
    counts = shown.groupby(["definition", "stride", "image_id"])[["control", "score"]].nunique()
    full = len(counts) and (counts["control"] == len(CONTROLS)).all() and (counts["score"] == 2).all()
    if not full or len(shown) != 2 * len(CONTROLS) * len(counts):
        raise ReportingError(f"{where}: SC or EF of some control is missing; score the controls again")
    images = tuple(str(image_id) for image_id in scores["image_id"].unique())
    return Controls(images, control_means(scores), check_controls(scores))


def outcome(checks: pd.DataFrame) -> Outcome:
    """Judges the order of one definition, score and stride: right where every comparison is, beyond chance.

    Args:
        checks: rows of :func:`~vfm_fusion.profiles.control_order.check_controls`.
    """
    return every([_part(check) for check in checks.itertuples()])


def verdict(checks: pd.DataFrame) -> str:
    """Says what is wrong with that order, or not known of it: ``noise above edges``.

    Returns:
        ``right``; or what is wrong, then what is not known, separated by semicolons.
    """
    found = [(check, _part(check)) for check in checks.itertuples()]
    wrong: dict[str, list[str]] = {}
    for check in (check for check, judged in found if judged == "opposite"):
        what, than = _wrong(check)
        wrong.setdefault(what, []).append(than)
    parts = [f"{what} {' and '.join(others)}".strip() for what, others in wrong.items()]
    level = [f"{check.control} and {check.other}" for check, judged in found if judged == "unclear"]
    if level:
        parts.append(f"not told apart: {', '.join(level)}")
    if any(judged == "few images" for _, judged in found):
        parts.append(f"fewer than {MIN_IMAGES} images")
    unknown = sorted({check.reason.replace("_", " ") for check, judged in found if judged == "missing"})
    if unknown:
        parts.append(f"unknown: {', '.join(unknown)}")
    return "; ".join(parts) or RIGHT


def right_strides(controls: Controls, definition: str, score: str) -> tuple[list[int], list[int]]:
    """Returns the strides at which the order is right, and those at which it is not known."""
    found = {stride: outcome(controls.checks_of(definition, score, stride)) for stride in controls.strides}
    right = [stride for stride, state in found.items() if state == "agrees"]
    return right, [stride for stride, state in found.items() if state not in ("agrees", "opposite")]


def order_in_words(controls: Controls, definition: str, score: str) -> str:
    """Says at which strides the order is right: ``right at OS 4 and 8, unknown at OS 32``."""
    right, unknown = right_strides(controls, definition, score)
    strides = controls.strides
    text = f"right at {strides_in_words(right, strides)}"
    if unknown and len(unknown) == len(strides):
        return "unknown at every stride"
    return text + (f", unknown at {strides_in_words(unknown, strides)}" if unknown else "")


def definition_sentence(controls: Controls, definition: str) -> str:
    """Says where a definition ranks white noise above image edges, and where its order is right."""
    checks = controls.checks_of(definition, "ef")
    pairs = checks[(checks["control"] == "edges") & (checks["other"] == "noise") & (checks["images"] > 0)]
    above = pairs[[_part(check) == "opposite" for check in pairs.itertuples()]]
    if pairs.empty:
        text = f"'{definition}' scores white noise or image edges at no stride"
    else:
        where = strides_in_words([int(stride) for stride in above["stride"]], list(pairs["stride"]))
        text = f"'{definition}' ranks white noise above image edges at {where}"
    if len(above):
        stride = int(above.loc[above["difference"].idxmin(), "stride"])
        noise, edges = (controls.mean(definition, "ef", stride, name)["mean"] for name in ("noise", "edges"))
        text += f" (EF {number(noise, 1)} against {number(edges, 1)} at OS {stride})"
    orders = [
        f"its {score.upper()} order is {order_in_words(controls, definition, score)}" for score in SCORES
    ]
    return f"{text}; {', '.join(orders)}."


def best_sentence(controls: Controls) -> str:
    """Names the definitions whose order is right at every stride."""
    right = {
        score: [
            definition
            for definition in controls.definitions
            if len(right_strides(controls, definition, score)[0]) == len(controls.strides)
        ]
        for score in SCORES
    }
    parts = [
        f"{score.upper()} {_quoted(names) if names else 'of no definition'}" for score, names in right.items()
    ]
    return f"Right at every stride: {'; '.join(parts)}."


def rule_sentence(controls: Controls) -> str:
    """Says what makes an order right."""
    parts = {
        score: ", ".join(
            f"{NAMES[c.control]} {c.relation} {NAMES[c.other]}" for c in COMPARISONS if c.score == score
        )
        for score in SCORES
    }
    return (
        f"n = {len(controls.images)} images. An order is right where "
        + "; and ".join(f"by {score.upper()} {text}" for score, text in parts.items())
        + f"; and constant is undefined, on {MIN_IMAGES} images or more. Above: the mean difference over "
        f"images is more than {TOLERANCE:g} standard errors; not above: it is at most that; not told apart: "
        "neither is above the other."
    )


def _part(check: Any) -> Outcome:
    """Judges one comparison: what is above another one is so by more than chance."""
    if pd.isna(check.holds):
        return part(None)
    if check.relation == "undefined":
        sign = 1 if check.holds else -1
    else:
        chance = TOLERANCE * check.standard_error
        sign = int(check.difference > chance) - int(check.difference < -chance)
        if check.relation == "not above":
            sign = -1 if sign > 0 else 1
    return part(sign, images=int(check.images))


def _wrong(check: Any) -> tuple[str, str]:
    """What a failed check found: ``("noise above", "edges")``."""
    if check.relation == "undefined":
        return f"{check.control} has a value", ""
    if check.relation == "not above":
        return f"{check.control} above", check.other
    return f"{check.other} above", check.control


def _quoted(names: Sequence[str]) -> str:
    return "by " + ", ".join(f"'{name}'" for name in names)
