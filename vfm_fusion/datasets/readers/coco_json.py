"""A large JSON file whose top level is an object, parsed piece by piece."""

from __future__ import annotations

import json
import mmap
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from vfm_fusion.datasets.readers.coco_fields import as_whole, color, entry, flag, text, whole_number
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

_SPACE = re.compile(r"[ \t\r\n]*")


class JsonSections:
    """Iterates over the keys of the top level; after each, its value must be taken, whole or in elements.

    Args:
        path: the file, UTF-8.

    Raises:
        ValueError: the text is not JSON, or its top level is not an object; also while iterating.
        FileNotFoundError: the file does not exist.
    """

    def __init__(self, path: Path) -> None:
        # One character per byte, so that places in the text are places in the file.
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            self._text = str(content, "latin-1")
        self._at = 0
        self._decode = json.JSONDecoder().raw_decode

    def __iter__(self) -> Iterator[str]:
        self._expect("{")
        if self._skip("}"):
            return
        while True:
            key = self._parse()
            self._expect(":")
            yield key
            if not self._skip(","):
                self._expect("}")
                return

    def value(self) -> Any:
        """Parses the current key's value."""
        start = self._start()
        self._parse()
        return json.loads(self._text[start : self._at].encode("latin-1"))

    def elements(self) -> Iterator[tuple[Any, int, int]]:
        """Parses the current key's value, a list, element by element.

        Yields:
            The element, and the bytes of the file at which it begins and ends; of its strings only those of
            ASCII characters are right.
        """
        self._expect("[")
        if self._skip("]"):
            return
        while True:
            start = self._start()
            yield self._parse(), start, self._at
            if not self._skip(","):
                self._expect("]")
                return

    def _start(self) -> int:
        self._at = _SPACE.match(self._text, self._at).end()
        return self._at

    def _parse(self) -> Any:
        element, self._at = self._decode(self._text, self._start())
        return element

    def _skip(self, character: str) -> bool:
        if self._text[self._start() : self._at + 1] != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._skip(character):
            found = self._text[self._at : self._at + 1] or "the end of the file"
            raise ValueError(f"expected {character} at byte {self._at}, found {found}")


_BAD_JSON = (ValueError, TypeError)
_NO_ID = -1  # the annotations of the panoptic task have none


@dataclass(frozen=True)
class ListedCategory:
    """A class that an annotation file lists.

    Attributes:
        name: its name.
        isthing: whether it is countable; True where the file does not say.
        color: (red, green, blue); None where the file does not say.
    """

    name: str
    isthing: bool
    color: tuple[int, int, int] | None


@dataclass(frozen=True)
class ListedImage:
    """An image that an annotation file lists."""

    id: int
    height: int
    width: int


class AnnotationFile:
    """A COCO annotation file.

    Attributes:
        path: the file.
        images: file name to image id, in the order of the file.
        categories: id to the class, in the order of the file.
        is_panoptic: whether its annotations are lists of segments, and not objects.
    """

    def __init__(self, path: Path) -> None:
        """Parses the file.

        Raises:
            DatasetLayoutError: the file does not exist.
            CorruptImageError: the file is truncated or no annotation file.
            LabelError: an id or file name occurs twice or is of another type, or an annotation is of an image
                that is not listed, or the id of a class occurs with two names.
        """
        self.path = path
        self.images: dict[str, int] = {}
        self._sizes: dict[str, tuple[Any, Any]] = {}
        self.categories: dict[int, ListedCategory] = {}
        self.is_panoptic = False
        try:
            places = self._read()
        except FileNotFoundError as error:
            raise DatasetLayoutError(
                f"{path}: no such file. Unpack the annotations of COCO 2017 beside the images."
            ) from error
        except _BAD_JSON as error:
            raise CorruptImageError(
                f"{path}: not a COCO annotation file ({type(error).__name__}: {error}). Restore it from the "
                "data set's archive."
            ) from error
        self._index(places)

    def annotations(self, image_id: int) -> list[dict[str, Any]]:
        """Parses the annotations of one image, in the order of the file; none when it has none."""
        first, last = np.searchsorted(self._image_ids, [image_id, image_id + 1])
        with self.path.open("rb") as file:
            return [json.loads(_slice(file, *place)) for place in self._places[first:last]]

    def image(self, name: str) -> ListedImage:
        """The image of a file name.

        Raises:
            DatasetLayoutError: the file does not list it.
            LabelError: its height or width is no whole number of at least 1.
        """
        if name not in self.images:
            raise DatasetLayoutError(
                f"{self.path}: image {name} is not listed. Index the data set again after changing its files."
            )
        where = f"{self.path}: image {name}"
        sides = dict(zip(("height", "width"), self._sizes[name], strict=True))
        height, width = (whole_number(sides, side, where, least=1) for side in sides)
        return ListedImage(self.images[name], height, width)

    def check_categories(self, known: Mapping[int, str]) -> None:
        """Refuses a file of other classes than COCO's.

        Args:
            known: official id to name.

        Raises:
            LabelError: the file lists a class that is not in ``known``, or under another name.
        """
        for category_id, category in self.categories.items():
            if known.get(category_id) != category.name:
                raise LabelError(
                    f"{self.path}: lists class {category_id} {category.name!r}, but COCO's table has "
                    f"{known.get(category_id, 'no such id')!r}. Only COCO's own classes can be read as this "
                    "kind of data set; kind coco reads any."
                )

    def _read(self) -> np.ndarray:
        """Reads images and classes; returns image id, id, start and end of annotations, ``(n, 4)`` int64."""
        places = array("q")
        sections = JsonSections(self.path)
        for key in sections:
            if key == "images":
                self._list_images(sections.value())
            elif key == "categories":
                self._list_categories(sections.value())
            elif key == "annotations":
                for number, (element, start, end) in enumerate(sections.elements()):
                    self.is_panoptic |= isinstance(element, dict) and "segments_info" in element
                    places.extend((*self._ids(element, number), start, end))
            else:
                sections.value()
        if not self.images:
            raise ValueError("it lists no image")
        return np.array(places, np.int64).reshape(-1, 4)

    def _list_images(self, rows: Iterable[Any]) -> None:
        for number, row in enumerate(rows):
            where = f"{self.path}: images[{number}]"
            name = text(entry(row, where), "file_name", where)
            if name in self.images:
                raise LabelError(f"{self.path}: image {name} is listed twice. Remove one entry.")
            self.images[name] = whole_number(row, "id", f"{self.path}: image {name}")
            self._sizes[name] = row.get("height"), row.get("width")

    def _list_categories(self, rows: Iterable[Any]) -> None:
        for number, row in enumerate(rows):
            where = f"{self.path}: categories[{number}]"
            category_id = whole_number(entry(row, where), "id", where)
            found = ListedCategory(
                text(row, "name", where), flag(row, "isthing", where, absent=1), color(row, where)
            )
            if self.categories.setdefault(category_id, found).name != found.name:
                raise LabelError(
                    f"{where}: class id {category_id} is that of {self.categories[category_id].name!r} too. "
                    "Give every class an id of its own."
                )

    def _ids(self, element: Any, number: int) -> tuple[int, int]:
        """Image id and id of an annotation; an odd id of its own is left to whoever reads the image."""
        where = f"{self.path}: annotations[{number}]"
        own = as_whole(entry(element, where).get("id"))
        if own is not None:
            where = f"{self.path}: annotation {own}"
        return whole_number(element, "image_id", where), _NO_ID if own is None else own

    def _index(self, places: np.ndarray) -> None:
        listed = np.array(list(self.images.values()), np.int64)
        image_ids, ids = places[:, 0], places[:, 1]
        for what, values in (("image", listed), ("annotation", ids[ids != _NO_ID])):
            found, counts = np.unique(values, return_counts=True)
            if (counts > 1).any():
                raise LabelError(
                    f"{self.path}: {what} id {found[counts > 1][0]} occurs twice. Take the file of the "
                    "release."
                )
        unknown = image_ids[~np.isin(image_ids, listed)]
        if unknown.size:
            raise LabelError(
                f"{self.path}: an annotation is of image id {unknown[0]}, which the file does not list. Take "
                "the file of the release."
            )
        places = places[np.argsort(image_ids, kind="stable")]
        self._image_ids, self._places = places[:, 0].copy(), places[:, 2:].copy()


def annotation_file(path: Path) -> AnnotationFile:
    """Opens an annotation file; in a process, every version of it is parsed once.

    Raises:
        DatasetLayoutError: see :class:`AnnotationFile`.
        CorruptImageError: as above.
        LabelError: as above.
    """
    status = path.stat() if path.exists() else None
    version = status and (status.st_mtime_ns, status.st_size)
    with _LOCK:
        known = _PARSED.get(path)
        if known is None or known[0] != version:
            known = _PARSED[path] = (version, AnnotationFile(path))
        return known[1]


_LOCK = Lock()
_PARSED: dict[Path, tuple[tuple[int, int] | None, AnnotationFile]] = {}


def _slice(file: Any, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)
