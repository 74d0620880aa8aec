"""What is wrong with a configuration, in the words of the one who wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from vfm_fusion.config.schema import Config


def explain(item: Any, data: Mapping[str, Any]) -> str:
    """One line on one of Pydantic's errors: the key's path, what was found there and a hint.

    Args:
        item: from ``ValidationError.errors()``.
        data: the configuration that was validated.
    """
    path = ".".join(_visible(item["loc"], data)) or "config"
    found = item.get("input")
    if item["type"] == "extra_forbidden":
        return f"{path}: unknown key{_did_you_mean(item['loc'])}"
    if item["type"] == "missing":
        return f"{path}: required, but not given"
    if item["type"] == "value_error":
        message = str(item["ctx"]["error"])
        return message if not item["loc"] else f"{path}: {message}"
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"{path}: {message}; found {found!r}{_hint(found)}"


def _visible(location: tuple[Any, ...], data: Any) -> list[str]:
    """The key path as the user wrote it, without the tags that Pydantic inserts for alternatives."""
    parts = []
    for part in location[:-1]:
        if (isinstance(data, Mapping) and part in data) or (
            isinstance(data, list | tuple) and isinstance(part, int)
        ):
            data = data[part]
        else:
            continue
        parts.append(str(part))
    return [*parts, *(str(part) for part in location[-1:])]


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


def _did_you_mean(location: tuple[Any, ...]) -> str:
    allowed = list(_model_at(location[:-1]).model_fields)
    close = get_close_matches(str(location[-1]), allowed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (allowed: {', '.join(allowed)})"


def _model_at(location: tuple[Any, ...]) -> type[BaseModel]:
    """The section that a Pydantic error location lies in; a location names keys and alternatives' tags."""
    kind: Any = Config
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _given(kind.model_fields[part].annotation)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            kind = next(model for model in _alternatives(kind) if part in _tags(model))
    return kind


def _given(annotation: Any) -> Any:
    """What stands behind an optional key where it is given."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 and NoneType in get_args(annotation) else annotation


def _alternatives(kind: Any) -> tuple[type[BaseModel], ...]:
    union = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(union)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return tuple(
        tag
        for field in model.model_fields.values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    )
