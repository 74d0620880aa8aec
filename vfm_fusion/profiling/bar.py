"""A bar of progress that any terminal and notebook can show: one line, written over and over."""

from __future__ import annotations

import sys
import time

_WIDTH = 24
_SECONDS = 0.1
"""Between two drawings of the line."""


class Bar:
    """Shows the loop that runs; a watcher of :mod:`vfm_fusion.workflow.progress`.

    Where a line cannot be written over, as in a log, each loop has one at its end.
    """

    def __init__(self) -> None:
        self._redraws = sys.stderr.isatty() or "ipykernel" in sys.modules
        self._drawn = 0.0
        self._length = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._write("")

    def step(self, description: str, done: int, total: int) -> None:
        """Draws the line where the last drawing is some time ago, or the loop ends."""
        now = time.monotonic()
        if done < total and (not self._redraws or now - self._drawn < _SECONDS):
            return
        self._drawn = now
        filled = _WIDTH * done // max(1, total)
        self._write(f"{description} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done} of {total}")

    def note(self, text: str) -> None:
        """Says nothing: what is extracted is seen from the bar."""

    def _write(self, line: str) -> None:
        if not self._redraws:
            if line:
                print(line, file=sys.stderr, flush=True)
            return
        print(f"\r{line.ljust(self._length)}", end="" if line else "\r", file=sys.stderr, flush=True)
        self._length = len(line)


class Silence:
    """Shows nothing."""

    def step(self, description: str, done: int, total: int) -> None:
        """Shows nothing."""

    def note(self, text: str) -> None:
        """Shows nothing."""
