"""The images that COCO's JSON lists, held against those in the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vfm_fusion.datasets.readers.coco_json import AnnotationFile
from vfm_fusion.errors import DatasetLayoutError


def listed_images(annotations: AnnotationFile, folder: Path) -> list[str]:
    """Returns the file names that a JSON lists, sorted, after finding each in the folder.

    Args:
        annotations: the JSON.
        folder: the images of the split.

    Raises:
        DatasetLayoutError: a listed image is not in the folder, or the folder has an image (a file with the
            extension of listed ones) that is not listed.
    """
    listed, unlisted = match_images(annotations, folder)
    if unlisted:
        raise DatasetLayoutError(
            f"{folder / min(unlisted)}: {annotations.path} does not list this image; one of {len(unlisted)} "
            "such in the folder. Take both from the same release, or move images that do not belong to it."
        )
    return listed


def match_images(annotations: AnnotationFile, folder: Path) -> tuple[list[str], set[str]]:
    """Finds every image that a JSON lists, and those that it does not list.

    A name is the path of an image below the folder, as COCO's own tools join the two: of any extension, and
    perhaps in sub-folders.

    Args:
        annotations: the JSON.
        folder: the images of the split.

    Returns:
        The file names that it lists, sorted; and those beside them with the extension of listed ones.

    Raises:
        DatasetLayoutError: a listed image is not in the folder.
    """
    listed = set(annotations.images)
    present = _below(folder, listed)
    absent = listed - present
    if absent:
        first = min(absent)
        raise DatasetLayoutError(
            f"{annotations.path}: lists the image {first!r}, which {folder} does not hold"
            f"{_namesakes(first, present)}; one of {len(absent)} such. A file_name is the path of an image "
            "below that folder, letter by letter; take both from the same release."
        )
    extensions = {Path(name).suffix.lower() for name in listed}
    unlisted = {
        name
        for name in present - listed
        if Path(name).suffix.lower() in extensions and not Path(name).name.startswith(".")
    }
    return sorted(listed), unlisted


def below_split(image: str) -> str:
    """The ``file_name`` of an image, from its path in the index, which begins with the split's folder."""
    return image.partition("/")[2]


def _below(folder: Path, names: Iterable[str]) -> set[str]:
    """Files in the folder and in the sub-folders that names lead into, by their paths below it."""
    parents = {PurePosixPath(name).parent for name in names} | {PurePosixPath()}
    found = set()
    for parent in parents:
        if parent.is_absolute() or ".." in parent.parts or not os.path.isdir(folder / parent):
            continue
        with os.scandir(folder / parent) as entries:
            found |= {(parent / entry.name).as_posix() for entry in entries if entry.is_file()}
    return found


def _namesakes(name: str, present: Iterable[str]) -> str:
    """Says which file was meant by a name of another case, extension or folder, or by a URL; if any."""
    stem = Path(re.split(r"[/\\]", name)[-1]).stem.lower()
    meant = min((other for other in present if Path(other).stem.lower() == stem), default=None)
    return "" if meant is None else f", but {meant!r}"
