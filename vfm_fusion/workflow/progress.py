"""Progress of long loops: lines in the job's log and on a terminal, or what a caller shows of them."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Protocol, TypeVar

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

TERMINAL = logging.getLogger("terminal")
"""Lines for people who watch; :func:`~vfm_fusion.workflow.rule_log.rule_log` shows them where someone can."""
TERMINAL.propagate = False
TERMINAL.setLevel(logging.INFO)

SECONDS_BETWEEN_LINES = 15.0


class Watcher(Protocol):
    """Who is told of loops and notes, in place of the terminal."""

    def step(self, description: str, done: int, total: int) -> None:
        """So many rounds of a loop are done."""

    def note(self, text: str) -> None:
        """Something was said beside the loops."""


_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Has everything in the block tell ``watcher`` how far it is."""
    before = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(before)


def note(text: str) -> None:
    """Says a line to the watcher, where there is one, or else on stderr."""
    watcher = _WATCHER.get()
    if watcher is None:
        print(text, file=sys.stderr, flush=True)
    else:
        watcher.note(text)


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
    pace, watcher = Pace(total), _WATCHER.get()
    for done, item in enumerate(items):
        if watcher is not None:
            watcher.step(description, done, total)
        left = pace.left(done)
        if left is not None:
            _LOG.info("%s: %d of %d", description, done, total)
            TERMINAL.info("%d of %d, %s left", done, total, left)
        yield item
    _LOG.info("%s: %d of %d", description, total, total)
    if watcher is not None:
        watcher.step(description, total, total)
