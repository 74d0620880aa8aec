"""The journal of a store under construction: which maps are written, one line per image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from vfm_fusion.features.digests import MapDigest

_PATTERN = "journal*.jsonl"


class Journal:
    """Appends lines to one file, which only one job writes.

    A line follows the maps that it names. It may reach the disk before them in a power cut, so what a journal
    says is checked against the maps before a store is published.

    Args:
        path: the file, ``journal*.jsonl`` in the folder of the store.
    """

    def __init__(self, path: Path) -> None:
        cut = path.is_file() and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        if cut:
            self._file.write("\n")

    def wrote(self, image: str, maps: Mapping[int, MapDigest]) -> None:
        """Notes that all maps of an image are written."""
        digests = {str(stride): [digest.crc32c, digest.sha256] for stride, digest in maps.items()}
        self._append({"image": image, "maps": digests})

    def checked(self) -> None:
        """Notes that every map of this journal has been read back."""
        self._append({"checked": True})

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _append(self, entry: dict[str, object]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


def journal_path(store: Path, part: str | None) -> Path:
    """The journal of a job that writes a whole store, or one part of it."""
    return store / (f"journal.{part}.jsonl" if part else "journal.jsonl")


def read_journals(store: Path) -> Iterator[tuple[str, dict[int, MapDigest], bool]]:
    """Yields what the journals of a store say: image, digests of its maps, whether they were read back."""
    for path in sorted(store.glob(_PATTERN)):
        lines = [_parse(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        last_check = max((number for number, line in enumerate(lines) if line.get("checked")), default=-1)
        for number, line in enumerate(lines):
            if "image" in line:
                maps = {int(stride): MapDigest(*digest) for stride, digest in line["maps"].items()}
                yield line["image"], maps, number < last_check


def remove_journals(store: Path) -> None:
    """Removes the journals of a store that has got its table of digests."""
    for path in store.glob(_PATTERN):
        path.unlink()


def _parse(line: str) -> dict:
    """Parses a line; the last one of a killed job may be cut and then counts as not written."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return entry if isinstance(entry, dict) else {}
