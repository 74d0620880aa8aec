"""Which figures state why they could not be drawn."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

FIELD = "Not drawn"
"""Text field of a PNG that holds the reason."""


def undrawn(paths: Iterable[str | Path]) -> dict[Path, str]:
    """Returns the reasons of those figures, among files of reports, that state one.

    Args:
        paths: files; those that are no PNG or do not exist are passed over.
    """
    found = {}
    for path in map(Path, paths):
        if path.suffix == ".png" and path.exists():
            with Image.open(path) as image:
                if FIELD in image.info:
                    found[path] = image.info[FIELD]
    return found
