"""One text to its two files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vfm_fusion.atomic import write_text


class Text(NamedTuple):
    """A text in two forms.

    Attributes:
        md: Markdown.
        html: a page that stands alone.
    """

    md: str
    html: str


BUILT = Text
"""What is written here."""


def write(text: Text, files: Mapping[str, Path], settings: Mapping[str, Any]) -> None:
    """Writes both forms; a text has no settings of its own.

    Raises:
        OSError: a file cannot be written; its previous version stays.
    """
    write_text(files["md"], text.md)
    write_text(files["html"], text.html)
