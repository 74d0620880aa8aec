"""What may stand in a setting, in the words of the one who writes it."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Discriminator
from pydantic.fields import FieldInfo

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_MANY = {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}


def expected_of(kind: Any, field: FieldInfo | None) -> str:
    """Says what may stand in a setting, with an example of a list.

    Args:
        kind: its type.
        field: what is known of it; its example, or its default, is shown.
    """
    words = describe(kind)
    examples = field.examples if field else None
    default = field.get_default(call_default_factory=True) if field else None
    if "a list" not in words or not (examples or isinstance(default, tuple)):
        return words
    example = examples[0] if examples else list(default)
    return f"{words} such as {yaml.safe_dump(example, default_flow_style=True, width=10_000).strip()}"


def describe(kind: Any) -> str:
    """Says what a value of a type is: ``a list of 2 whole numbers``, ``'train' or 'val'``."""
    kind, _ = bare(kind)
    if kind in _WORDS:
        return _WORDS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _either([repr(value) for value in args])
    if origin is tuple:
        many = _MANY.get(bare(args[0])[0], f"entries, each {describe(args[0])}")
        return f"a list of {many}" if args[-1] is ... else f"a list of {len(args)} {many}"
    if origin is dict:
        return "names, each with what it stands for"
    if origin in (Union, UnionType):
        return _either(list(dict.fromkeys(describe(one) for one in args)))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"a section with keys of {', '.join(kind.model_fields)}"
    return "something else"


def literals(kind: Any) -> list[Any]:
    """The values that a type, or one of several, names one by one."""
    kind, _ = bare(kind)
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return [value for one in get_args(kind) for value in literals(one)]
    return []


def bare(kind: Any) -> tuple[Any, bool]:
    """A type without annotations and without the null that may stand for it, and whether it has tags."""
    tagged = False
    while True:
        if get_origin(kind) is Annotated:
            notes = get_args(kind)[1:]
            tagged = tagged or any(
                isinstance(note, Discriminator) or getattr(note, "discriminator", None) for note in notes
            )
            kind = get_args(kind)[0]
            continue
        given = [one for one in get_args(kind) if one is not NoneType]
        if get_origin(kind) in (Union, UnionType) and len(given) < len(get_args(kind)):
            kind = given[0] if len(given) == 1 else Union[tuple(given)]  # noqa: UP007 (of a list of types)
            continue
        return kind, tagged


def _either(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
