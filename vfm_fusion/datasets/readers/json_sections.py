"""A large JSON file whose top level is an object, parsed piece by piece."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
