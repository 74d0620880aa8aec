"""Overlapping reading, computing and writing, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Sequence[T], *, threads: int, depth: int) -> Iterator[R]:
    """Yields ``function(item)`` in order, computed by threads that are at most ``depth`` items ahead.

    An error of ``function`` is raised where its result would have been yielded. Close the generator to stop
    the threads early (``contextlib.closing``).
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > depth:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class Background(Generic[T]):
    """Runs ``function`` on items in one thread, in order, at most ``depth`` items behind.

    After an error nothing more is run; the error surfaces at the next :meth:`put`, or at the end of the
    ``with`` block at the latest.
    """

    def __init__(self, function: Callable[[T], None], depth: int) -> None:
        self._function = function
        self._depth = depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._pending: deque[Future[None]] = deque()
        self._stopped = False

    def put(self, item: T) -> None:
        """Hands over an item; waits while ``depth`` items are waiting.

        Raises:
            BaseException: what ``function`` has raised on an earlier item.
        """
        self._pending.append(self._pool.submit(self._run, item))
        while self._pending and (len(self._pending) > self._depth or self._pending[0].done()):
            self._pending.popleft().result()

    def __enter__(self) -> Background[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._pending:
                self._pending.popleft().result()
        finally:
            self._stopped = True
            self._pool.shutdown(cancel_futures=True)

    def _run(self, item: T) -> None:
        if self._stopped:
            return
        try:
            self._function(item)
        except BaseException:
            self._stopped = True
            raise
