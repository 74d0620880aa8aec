"""Progress of long loops: now and then a line in the job's log, and one for whoever watches a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

TERMINAL = logging.getLogger("terminal")
"""Lines for people who watch; :func:`~vfm_fusion.workflow.rule_log.rule_log` shows them where someone can."""
TERMINAL.propagate = False
TERMINAL.setLevel(logging.INFO)

SECONDS_BETWEEN_LINES = 15.0


class Pace:
    """When a loop should say how far it is, and how long it will still take."""

    def __init__(self, total: int, done: int = 0) -> None:
        """Begins to measure.

        Args:
            total: rounds of the loop.
            done: rounds that were done before.
        """
        self._total, self._first = total, done
        self._began = self._said = time.monotonic()

    def left(self, done: int) -> timedelta | None:
        """Returns the time that is left after so many rounds, if that should be said now."""
        now = time.monotonic()
        if now - self._said < SECONDS_BETWEEN_LINES or done == self._first:
            return None
        self._said = now
        per_round = (now - self._began) / (done - self._first)
        return timedelta(seconds=round(per_round * (self._total - done)))


def progress(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yields ``items``, saying how far the loop is.

    Args:
        items: what is iterated.
        description: what happens, such as ``features of mini-dino``.
        total: number of items.
    """
    pace = Pace(total)
    for done, item in enumerate(items):
        left = pace.left(done)
        if left is not None:
            _LOG.info("%s: %d of %d", description, done, total)
            TERMINAL.info("%d of %d, %s left", done, total, left)
        yield item
    _LOG.info("%s: %d of %d", description, total, total)
