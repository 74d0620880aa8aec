"""Steps that the readers of official folder layouts share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from vfm_fusion.datasets.images import IMAGE_SUFFIXES
from vfm_fusion.datasets.index import Files
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


def visible(folder: Path, pattern: str) -> list[Path]:
    """Lists the files of a folder, without those that systems leave beside data.

    A name that begins with a dot, of a file or of a folder above it, is no data set's: ``._x.png`` (macOS),
    ``.ipynb_checkpoints/x.png``.

    Args:
        folder: where to look.
        pattern: of paths below the folder, as of ``Path.glob``.

    Returns:
        Paths relative to the folder, sorted.
    """
    found = (path.relative_to(folder) for path in folder.glob(pattern))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts))


def pair(
    images: Iterable[str], labels: Iterable[str], where: Path, what: str, image: str | None = None
) -> list[str]:
    """Returns the sorted keys that both have.

    Args:
        images: keys of the images.
        labels: keys of the label files.
        where: folder of the split's labels, for messages.
        what: name of the label file with ``{}`` for the key, for messages.
        image: path of the image with ``{}`` for the key, to name one that is there in another format.

    Raises:
        DatasetLayoutError: an image without that label, or a label without its image.
    """
    images, labels = set(images), set(labels)
    for problem, keys in (("is missing", images - labels), ("has no image", labels - images)):
        if keys:
            first = min(keys)
            alike = [key for key in images ^ labels if key != first and key.lower() == first.lower()]
            lacked = image if first in labels else f"{where}/{what}"
            found = _namesake(Path(lacked.replace("{}", first))) if lacked else ""
            found = f" (there is {min(alike)!r}, of another case)" if alike else found
            raise DatasetLayoutError(
                f"{where / what.format(first)}: {problem}, one of {len(keys)} such in this split{found}. "
                "Every image needs its label and every label its image; unpack both archives of one release."
            )
    return sorted(images)


def _namesake(path: Path) -> str:
    stem = f"{path.stem}.".lower()
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    others = [name for name in names if name.lower().startswith(stem) and name != path.name]
    return f" (there is {path.parent / min(others)}, in another format or case)" if others else ""


def refuse_other_case(folder: Path, pattern: str) -> None:
    """Refuses files that a pattern finds but for the case of their names, as ``x.JPG`` for ``*.jpg``.

    Args:
        folder: where to look.
        pattern: of paths below the folder, as of ``Path.glob``.

    Raises:
        DatasetLayoutError: there is such a file.
    """
    either = re.sub("[A-Za-z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", pattern)
    name = pattern.rpartition("/")[2]
    other = [path for path in visible(folder, either) if not fnmatchcase(path.name, name)]
    if other:
        raise DatasetLayoutError(
            f"{folder / other[0]}: the layout names such files {name}, in letters of this case; one of "
            f"{len(other)} files that differ. Rename them, or unpack the archive of the release again."
        )


def require_split(root: Path, split: str, available: Sequence[str], layout: str) -> None:
    """Refuses a split that a data set does not have.

    Raises:
        DatasetLayoutError: ``split`` is not one of ``available``.
    """
    if split not in available:
        raise DatasetLayoutError(
            f"{root}: {layout} has no split {split!r}, only {' and '.join(map(repr, available))}. Take that "
            "split from another data set."
        )


def list_by_key(
    root: Path,
    layout: str,
    image: str,
    semantic: str,
    instance: str | None = None,
    *,
    depth: int = 0,
    derived: str | None = None,
) -> list[Files]:
    """Lists the images and labels of a split whose file names hold the same key.

    Args:
        root: folder of the data set.
        layout: name of the data set, for messages.
        image: path of an image below the root, with ``{}`` for its key, such as ``rgb/rgb_{}.png``.
        semantic: the same for the class labels.
        instance: the same for the object labels; None when there are none.
        depth: levels of sub-folders between the folder of the pattern and the file; they belong to the key.
        derived: end of the names of files that other tools write beside the labels; they are passed over.

    Returns:
        The files; the image id is the key without its sub-folders.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks a label, or a label its image, or the name of
            a file differs from the layout's in the case of letters.
    """
    for pattern in filter(None, (image, semantic, instance)):
        folder, _, name = pattern.rpartition("/")
        refuse_other_case(root / folder, "*/" * depth + name.format("*"))
    keys = _keys(root, layout, image, depth)
    for label in filter(None, (semantic, instance)):
        folder, _, name = label.rpartition("/")
        labels = _keys(root, layout, label, depth, derived)
        pair(keys, labels, root / folder, name, str(root / image))
    return [
        Files(
            image_id=Path(key).name,
            image=image.format(key),
            semantic=semantic.format(key),
            instance=instance.format(key) if instance else None,
        )
        for key in sorted(keys)
    ]


def list_by_stem(root: Path, layout: str, images: str, masks: str) -> list[Files]:
    """Lists photos and masks that have the same name up to the extension, of any image format.

    Args:
        root: folder of the data set.
        layout: name of the data set, for messages.
        images: folder of the photos, below the root.
        masks: folder of the masks, below the root; each is the label of classes and of objects.

    Raises:
        DatasetLayoutError: a folder is missing, two files have one name, a photo lacks its mask, a mask its
            photo, or the photo is of no format that is read.
    """
    photos, labels = _by_stem(root, layout, images), _by_stem(root, layout, masks)
    for path in visible(root / images, "*"):
        if path.stem in labels.keys() - photos.keys():
            raise DatasetLayoutError(
                f"{root / images / path}: is of no format that is read ({', '.join(IMAGE_SUFFIXES)}). "
                "Convert it."
            )
    return [
        Files(stem, f"{images}/{photos[stem]}", f"{masks}/{labels[stem]}", f"{masks}/{labels[stem]}")
        for stem in pair(photos, labels, root / masks, "{}.*")
    ]


def _keys(root: Path, layout: str, pattern: str, depth: int, derived: str | None = None) -> list[str]:
    folder, _, name = pattern.rpartition("/")
    start, end = name.split("{}")
    top = require_folder(root, folder, layout)
    return [
        path.with_name(path.name.removeprefix(start).removesuffix(end)).as_posix()
        for path in visible(top, "*/" * depth + f"{start}*{end}")
        if not (derived and path.name.endswith(derived))
    ]


def _by_stem(root: Path, layout: str, folder: str) -> dict[str, str]:
    names: dict[str, str] = {}
    top = require_folder(root, folder, layout)
    for path in visible(top, "*"):
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if path.stem in names:
            raise DatasetLayoutError(
                f"{top / path}: {names[path.stem]} beside it has the same name. Remove one of the two."
            )
        names[path.stem] = path.name
    return names
