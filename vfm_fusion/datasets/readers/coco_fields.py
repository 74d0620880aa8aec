"""Fields of COCO's JSON by their types; one of another type is refused with its entry and its file."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from vfm_fusion.errors import LabelError

_LEAST, _MOST = -(2**63), 2**63 - 1  # what an index of the file holds


def as_whole(value: Any) -> int | None:
    """Returns a whole number, also one that is written as 7.0 (by tables with gaps); None for anything else.

    >>> as_whole(7.0), as_whole("7"), as_whole(True)
    (7, None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if _LEAST <= value <= _MOST else None


def entry(value: Any, where: str) -> Mapping[str, Any]:
    """Returns an element of a list as the object that it has to be.

    Args:
        value: the element.
        where: the file and the element, the beginning of the message.

    Raises:
        LabelError: it is no object.
    """
    if not isinstance(value, Mapping):
        raise LabelError(f"{where}: is {reprlib.repr(value)}, expected an object with fields.{_REMEDY}")
    return value


def whole_number(fields: Mapping[str, Any], name: str, where: str, least: int = _LEAST) -> int:
    """Returns a field that holds a whole number.

    Args:
        fields: the entry.
        name: the field.
        where: the file and the entry, the beginning of the message.
        least: the smallest number that makes sense.

    Raises:
        LabelError: the field is missing, or holds anything else.
    """
    number = as_whole(fields.get(name))
    if number is None or number < least:
        bound = "" if least == _LEAST else f" of at least {least}"
        raise _refused(fields, name, where, f"a whole number{bound}")
    return number


def quantity(fields: Mapping[str, Any], name: str, where: str) -> float:
    """Returns a field that holds a number of at least 0; arguments and errors: :func:`whole_number`."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        raise _refused(fields, name, where, "a number of at least 0")
    return float(value)


def flag(fields: Mapping[str, Any], name: str, where: str, absent: int = 0) -> bool:
    """Returns a field that holds 0, 1, false or true, and ``absent`` where it is missing.

    Other arguments and errors: :func:`whole_number`.
    """
    value = fields.get(name, absent)
    if isinstance(value, bool):
        return value
    if as_whole(value) not in (0, 1):
        raise _refused(fields, name, where, "0 or 1")
    return bool(value)


def text(fields: Mapping[str, Any], name: str, where: str) -> str:
    """Returns a field that holds text, not empty; arguments and errors: :func:`whole_number`."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(fields, name, where, "text")
    return value


def color(fields: Mapping[str, Any], where: str) -> tuple[int, int, int] | None:
    """Returns the field ``color``, three numbers of 0 to 255; None where it is missing or anything else.

    Nothing is learnt from it, and tools write it in many ways.
    """
    value = fields.get("color")
    channels = [as_whole(channel) for channel in value] if isinstance(value, list) else []
    if len(channels) != 3 or not all(channel is not None and 0 <= channel <= 255 for channel in channels):
        return None
    red, green, blue = channels
    return red, green, blue


_REMEDY = " Correct the file, or take that of the release."


def _refused(fields: Mapping[str, Any], name: str, where: str, expected: str) -> LabelError:
    found = f"its {name} is {reprlib.repr(fields[name])}" if name in fields else f"it has no {name}"
    return LabelError(f"{where}: {found}, expected {expected}.{_REMEDY}")
