"""Signals that ask a training run to stop: it finishes its step, saves, and can be resumed."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
"""What asks a job to stop: SLURM and Snakemake send SIGTERM, or SIGUSR1 where ``--signal`` asks for it, and a
terminal sends SIGINT to all processes on Ctrl-C."""


class StopRequest:
    """Remembers the first signal that came while the block ran; the handlers before it return afterwards.

    A second signal changes nothing: a checkpoint that is being written is always finished. Outside the main
    thread, where Python allows no handlers, nothing is caught.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def flags(self) -> list[int]:
        """One 0 or 1 for each of :data:`SIGNALS`."""
        return [int(self.received is number) for number in SIGNALS]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)


def leave_to_parent() -> None:
    """Lets a helper process outlive a signal to its whole group; it ends with the process that it serves."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def passed_on(children: list[subprocess.Popen[str]]) -> Iterator[None]:
    """Passes signals on to the children; one that comes before a child is there reaches it when it is."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        log.warning("%s is passed on to %d processes", signal.Signals(number).name, len(children))
        for child in children:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
