"""What a misspelt name was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(found: object, known: Iterable[object]) -> str:
    """Returns a hint to go at the end of a message; empty where no known name resembles the found one.

    >>> did_you_mean("cityscape", ["camvid", "cityscapes"])
    "; did you mean 'cityscapes'?"
    >>> did_you_mean("x", ["camvid", "cityscapes"])
    ''
    """
    close = get_close_matches(str(found), [str(name) for name in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
