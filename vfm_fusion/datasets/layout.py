"""Steps that the readers of official folder layouts share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vfm_fusion.errors import DatasetLayoutError


def require_folder(root: Path, relative: str, layout: str) -> Path:
    """Returns ``root / relative``.

    Raises:
        DatasetLayoutError: it is not a folder.
    """
    folder = root / relative
    if not folder.is_dir():
        raise DatasetLayoutError(
            f"{folder}: no such folder. The layout of {layout} has it; unpack the whole archive, or correct "
            "the data set's root in the configuration."
        )
    return folder


def pair(images: Iterable[str], labels: Iterable[str], where: Path, what: str) -> list[str]:
    """Returns the sorted keys that both have.

    Args:
        images: keys of the images.
        labels: keys of the label files.
        where: folder of the split's labels, for messages.
        what: name of the label file with ``{}`` for the key, for messages.

    Raises:
        DatasetLayoutError: an image without that label, or a label without its image.
    """
    images, labels = set(images), set(labels)
    for problem, keys in (("is missing", images - labels), ("has no image", labels - images)):
        if keys:
            first = what.format(min(keys))
            raise DatasetLayoutError(
                f"{where / first}: {problem}, one of {len(keys)} such in this split. Every image needs its "
                "label and every label its image; unpack both archives of the same release."
            )
    return sorted(images)
