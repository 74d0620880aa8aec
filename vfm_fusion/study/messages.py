"""What is wrong with a configuration, in the words of the one who wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vfm_fusion.config.names import did_you_mean
from vfm_fusion.study.places import Place, keys_at, literals, tags

_TYPES = ("_type", "too_long", "literal_error")
"""Ends of the names of Pydantic's errors that say that a value is none that may stand somewhere."""


def explain(errors: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line on each problem: the key's path, what is expected, what was found there and a hint.

    Where a value may have one of several types, Pydantic has an error for each of them; here they are one.

    Args:
        errors: from ``ValidationError.errors()``.
    """
    placed = [(item, Place.of(tuple(item["loc"]))) for item in errors]
    lines = []
    for item, place in placed:
        inner = [one.path for _, one in placed if one.path[:-1] == place.path]
        if not (place.chosen and inner):  # what is wrong inside a value says more
            lines.append(_explain(item, place))
    return list(dict.fromkeys(lines))


def _explain(item: Mapping[str, Any], place: Place) -> str:
    path, kind, found = ".".join(place.path) or "config", item["type"], item.get("input")
    said = item.get("ctx", {})
    if kind == "extra_forbidden":
        known = keys_at(tuple(item["loc"][:-1]))
        return f"{path}: unknown key{did_you_mean(place.path[-1], known)} (allowed: {', '.join(known)})"
    if kind == "missing" and isinstance(item["loc"][-1], int):
        outer = Place.of(tuple(item["loc"][:-1]))
        return _mismatch(".".join(outer.path), outer.expected, found)
    if kind == "missing":
        return f"{path}: required, but not given"
    if kind == "value_error":
        message = str(said["error"])
        return message if not item["loc"] else f"{path}: {message}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_tag(path, said["discriminator"].strip("'"), item, place)
    if kind == "too_short":
        least = said["min_length"]
        return _mismatch(path, f"{place.expected}, at least {least} item{'s' if least > 1 else ''}", found)
    if place.chosen or kind.endswith(_TYPES):
        return _mismatch(path, place.expected, found) + did_you_mean(found, literals(place.kind))
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"{path}: {message}; found {found!r}"


def _mismatch(path: str, expected: str, found: Any) -> str:
    return f"{path}: expected {expected}; found {_plain(found)}{_hint(found)}"


def _wrong_tag(path: str, key: str, item: Mapping[str, Any], place: Place) -> str:
    """A section whose ``kind`` or ``source`` is none that there is, or is not given."""
    known = tags(place.kind, key)
    choice = f"expected one of {', '.join(map(repr, known))}"
    if key not in item["input"]:
        return f"{path}.{key}: required, but not given; {choice}"
    found = item["input"][key]
    return f"{path}.{key}: {choice}; found {found!r}{did_you_mean(found, known)}"


def _plain(found: Any) -> str:
    """A value, a tuple as the list that the user wrote."""
    return repr(list(found) if isinstance(found, tuple) else found)


def _hint(found: Any) -> str:
    if isinstance(found, str):
        try:
            number = float(found)
        except ValueError:
            return ""
        if "e" in found.lower():
            return f" (YAML reads {found} as text; write {_with_point(found)})"
        return f" (a number in quotes; write {number:g})"
    return ""


def _with_point(text: str) -> str:
    mantissa, exponent = text.lower().split("e")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"
