"""One writer per shard: locks that end with their process, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vfm_fusion.errors import FeatureStoreError

_PREPARING = 0
_FIRST_SHARD = 1


class StoreLock:
    """Record locks on one file: byte 0 while a store is prepared, byte 1 + s while shard s is written.

    The kernel drops them when the process ends, also by SIGKILL, so none is ever stale. A process must not
    open the file twice: closing it once would drop all of them.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Waits until no other job is in such a block."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _PREPARING)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _PREPARING)

    def claim(self, shards: range | None = None) -> None:
        """Locks ``shards``, all there can be when None, for as long as this process keeps the file open.

        Raises:
            FeatureStoreError: another job is writing one of them.
        """
        if shards is not None and not shards:
            return
        start, count = (0, 0) if shards is None else (shards.start, len(shards))
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, count, _FIRST_SHARD + start)
        except (BlockingIOError, PermissionError):
            raise FeatureStoreError(
                f"{self._path.parent}: another job is writing this feature store; "
                "wait until it has ended, or end it, and run the same command again"
            ) from None

    def release(self) -> None:
        """Gives all shards back."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 0, _FIRST_SHARD)


@contextmanager
def store_lock(state_dir: Path) -> Iterator[StoreLock]:
    """Yields the lock of the store that is built in ``state_dir``, which is made where it is missing."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / "lock"
    with path.open("a+b") as file:
        yield StoreLock(path, file)
