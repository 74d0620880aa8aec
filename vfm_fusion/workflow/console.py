"""What Snakemake's own messages leave to be wished for on the terminal: filters of its logger."""

from __future__ import annotations

import logging
from collections.abc import Callable

NOTHING_TO_DO = "Nothing to be done"


class JobsOnce(logging.Filter):
    """Drops the second table of a dry run's jobs, for where no list of jobs parts it from the first."""

    _said: object = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Passes all but a table that was just passed."""
        stats = getattr(record, "stats", None)
        again = stats is not None and stats == self._said
        self._said = stats or self._said
        return not again


class OutcomeToo(logging.Filter):
    """Appends a text to the message that there is nothing to do: no hook of Snakemake runs after that.

    Args:
        outcome: returns the text.
    """

    def __init__(self, outcome: Callable[[], str]) -> None:
        super().__init__()
        self._outcome = outcome

    def filter(self, record: logging.LogRecord) -> bool:
        """Passes every message."""
        if isinstance(record.msg, str) and record.msg.startswith(NOTHING_TO_DO):
            record.msg = "\n".join(filter(None, (record.msg, self._outcome())))
        return True
