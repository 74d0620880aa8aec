"""Progress of long loops: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 15.0


def progress(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yields ``items``, showing how far the loop is.

    Args:
        items: what is iterated.
        description: what happens, such as ``features of mini-dino``.
        total: number of items.
    """
    if sys.stderr.isatty():
        yield from track(
            items, description=description, total=total, console=Console(stderr=True), transient=True
        )
        return
    said = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            _LOG.info("%s: %d of %d", description, done, total)
        yield item
    _LOG.info("%s: %d of %d", description, total, total)
