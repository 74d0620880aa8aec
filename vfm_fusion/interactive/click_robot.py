"""The robot that clicks in evaluation: on the deepest error, deterministically, never twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from vfm_fusion.config.clicks import ClickLaw, ClickProtocolConfig
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.distances import depth

Case = Literal["", "equal_errors", "no_error_left", "all_clicked"]
"""What was special about a click: missed and wrong regions were equally deep; no error was left, or none that
had not been clicked."""


class Placement(NamedTuple):
    """Where the next click goes.

    Attributes:
        click: the click; None where there is none.
        case: what was special about it.
    """

    click: Click | None
    case: Case = ""


class Clicker(Protocol):
    """Places clicks on the errors of a prediction."""

    def place(
        self, truth: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, clicks: Sequence[Click]
    ) -> Placement:
        """Places the next click.

        Args:
            truth: ``(H, W)`` bool.
            predicted: ``(H, W)`` bool.
            ignored: ``(H, W)`` bool, pixels that are no error whatever is predicted.
            clicks: the clicks so far, at whole pixels.
        """


class Errors(NamedTuple):
    """The larger error of a prediction, or that there is none.

    Attributes:
        depths: ``(H, W)`` float64 depth of the pixels that may be clicked, 0 elsewhere.
        positive: whether they are missed pixels of the object.
        case: see :data:`Case`; the depths are all 0 in the last two cases.
    """

    depths: np.ndarray
    positive: bool
    case: Case


def find_errors(
    truth: np.ndarray,
    predicted: np.ndarray,
    ignored: np.ndarray,
    clicks: Sequence[Click],
    config: ClickProtocolConfig,
) -> Errors:
    """Compares missed with wrong pixels by their deepest ones; see :meth:`Clicker.place`."""
    exact = config.distance == "exact"
    missed = depth(truth & ~predicted & ~ignored, exact=exact)
    wrong = depth(~truth & predicted & ~ignored, exact=exact)
    any_error = bool(missed.any() or wrong.any())
    for click in clicks:
        missed[int(click.row), int(click.col)] = wrong[int(click.row), int(click.col)] = 0
    deepest = missed.max(), wrong.max()
    if max(deepest) == 0:
        return Errors(wrong, False, "all_clicked" if any_error else "no_error_left")
    if deepest[0] == deepest[1]:
        positive = config.equal_errors == "positive"
        return Errors(missed if positive else wrong, positive, "equal_errors")
    positive = deepest[0] > deepest[1]
    return Errors(missed if positive else wrong, bool(positive), "")


class Robot:
    """Clicks the first deepest pixel, row by row, of the deeper of missed and wrong regions."""

    def __init__(self, config: ClickProtocolConfig) -> None:
        self._config = config

    def place(
        self, truth: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, clicks: Sequence[Click]
    ) -> Placement:
        """See :meth:`Clicker.place`; ``as_released`` it clicks the first pixel where no error is left."""
        errors = find_errors(truth, predicted, ignored, clicks, self._config)
        if not errors.depths.any() and self._config.perfect_mask == "carry_forward":
            return Placement(None, errors.case)
        row, col = np.unravel_index(int(errors.depths.argmax()), truth.shape)
        return Placement(Click(int(row), int(col), errors.positive), errors.case)


class RandomRobot:
    """Clicks at random in the region that :class:`Robot` clicks, in one of several groups of pixels.

    The pixels are ordered from the deepest to the shallowest, equal ones row by row, each with a
    probability; group g of G holds the g-th of G equal shares of the whole.
    """

    def __init__(
        self,
        config: ClickProtocolConfig,
        law: ClickLaw,
        group: int,
        groups: int,
        rng: np.random.Generator,
    ) -> None:
        """Describes the clicks.

        Args:
            config: the protocol.
            law: whether a pixel is as probable as it is deep, or all alike.
            group: g, from 0, the deepest.
            groups: G.
            rng: random numbers.
        """
        self._config, self._law, self._rng = config, law, rng
        self._share = (group / groups, (group + 1) / groups)

    def place(
        self, truth: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, clicks: Sequence[Click]
    ) -> Placement:
        """See :meth:`Clicker.place`; there is no click where no error is left."""
        errors = find_errors(truth, predicted, ignored, clicks, self._config)
        depths = errors.depths.ravel()
        pixels = np.flatnonzero(depths)
        if not len(pixels):
            return Placement(None, errors.case)
        ordered = pixels[np.argsort(-depths[pixels], kind="stable")]
        mass = np.cumsum(depths[ordered] if self._law == "distance" else np.ones(len(ordered)))
        at = np.searchsorted(mass, self._rng.uniform(*self._share) * mass[-1], side="right")
        row, col = np.unravel_index(ordered[min(at, len(ordered) - 1)], truth.shape)
        return Placement(Click(int(row), int(col), errors.positive), errors.case)
