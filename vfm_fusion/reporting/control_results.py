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


def verdict(checks: pd.DataFrame) -> str:
    """Says what is wrong with the order of one definition, score and stride: ``noise above edges``.

    Args:
        checks: rows of :func:`~vfm_fusion.profiles.control_order.check_controls`.

    Returns:
        ``right``; or what is wrong, then what is not known, separated by semicolons.
    """
    wrong: dict[str, list[str]] = {}
    for check in checks.itertuples():
        if not pd.isna(check.holds) and not check.holds:
            what, than = _wrong(check)
            wrong.setdefault(what, []).append(than)
    parts = [f"{what} {' and '.join(others)}".strip() for what, others in wrong.items()]
    unknown = sorted(
        {check.reason.replace("_", " ") for check in checks.itertuples() if pd.isna(check.holds)}
    )
    if unknown:
        parts.append(f"unknown: {', '.join(unknown)}")
    return "; ".join(parts) or RIGHT


def right_strides(controls: Controls, definition: str, score: str) -> tuple[list[int], list[int]]:
    """Returns the strides at which the order is right, and those at which it is not known."""
    holds = {stride: _holds(controls.checks_of(definition, score, stride)) for stride in controls.strides}
    return [s for s, state in holds.items() if state], [s for s, state in holds.items() if state is None]


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
    above = pairs[pairs["difference"] < 0]
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
        + "; and constant is undefined. Above: the mean difference over images is positive; not above: it is "
        f"at most {TOLERANCE:g} standard errors."
    )


def _wrong(check: Any) -> tuple[str, str]:
    """What a failed check found: ``("noise above", "edges")``."""
    control, other = check.control, check.other
    if check.relation == "undefined":
        return f"{control} has a value", ""
    if check.relation == "not above":
        return f"{control} above", other
    return f"{other} above" if check.difference < 0 else f"{other} level with", control


def _holds(checks: pd.DataFrame) -> bool | None:
    """True where all hold, None where none fails and some are not known."""
    if (checks["holds"] == False).any():  # noqa: E712
        return False
    return None if checks["holds"].isna().any() else True


def _quoted(names: Sequence[str]) -> str:
    return "by " + ", ".join(f"'{name}'" for name in names)
