"""Signals that ask a training run to stop: it finishes its step, saves, and can be resumed."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What SLURM and Snakemake send: SIGTERM before the end of a job, SIGUSR1 where ``--signal`` asks for it."""


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
