"""How much a store takes on disk, said and checked before anything is computed."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.layout import StoreLayout

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


def describe_size(layout: StoreLayout) -> str:
    """The size of a store in words: images, strides, type, bytes, files."""
    strides = "/".join(map(str, layout.shapes))
    files = layout.shards * len(layout.shapes)
    return (
        f"{layout.images:,} images, OS {strides}, {layout.dtype}: "
        f"{human(layout.total_bytes)} in {files:,} file{'s' if files != 1 else ''}"
    )


def require_space(store: Path, layout: StoreLayout) -> None:
    """Checks that what is still missing of a store fits on its disk.

    Raises:
        FeatureStoreError: it does not; names the path, the bytes needed and the bytes free.
    """
    needed = max(0, layout.total_bytes - used_bytes(store))
    free = free_bytes(store)
    if needed > free:
        raise FeatureStoreError(
            f"{store}: {describe_size(layout)}; {needed:,} bytes are still needed, {free:,} are free on this "
            "disk. Free some (snakemake prune_features lists stores that nothing uses), set paths.results to "
            "another disk, lower features.max_images, or have images scaled down (features.image_size: "
            "{long_side: 1024}); where they differ in size, each takes the room of the largest"
        )


@contextmanager
def disk_errors(store: Path, layout: StoreLayout) -> Iterator[None]:
    """Turns a full or failing disk into a named error.

    Raises:
        FeatureStoreError: an ``OSError`` that the disk is to blame for came out of the block.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        missing = max(0, layout.total_bytes - used_bytes(store))
        raise FeatureStoreError(
            f"{store}: {error.strerror} while writing; {missing:,} bytes are still needed, "
            f"{free_bytes(store):,} are free on this disk. What is written stays; run the same command again "
            "when there is room, or when the disk is mended"
        ) from error


def used_bytes(folder: Path) -> int:
    """Bytes that the files below a folder take on disk; holes take none."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def free_bytes(path: Path) -> int:
    """Bytes free for this user on the disk that would hold ``path``."""
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(existing).free


def human(count: int) -> str:
    """A number of bytes in the unit that leaves one to three digits before the point."""
    amount, units = float(count), iter(("B", "kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    while amount >= 999.5 and (larger := next(units, None)):
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
