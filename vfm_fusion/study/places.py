"""Where in a configuration an error lies, and what may stand there, in words."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Discriminator, Tag
from pydantic.fields import FieldInfo

from vfm_fusion.config.schema import Config

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_MANY = {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}


@dataclass(frozen=True)
class Place:
    """A place in a configuration.

    Attributes:
        path: the keys that lead there, as the user wrote them.
        kind: the type of what may stand there; None where nothing may.
        field: the setting that it is, or is in.
        chosen: whether Pydantic speaks of one of several types that may stand there.
    """

    path: tuple[str, ...]
    kind: Any
    field: FieldInfo | None
    chosen: bool

    @classmethod
    def of(cls, location: tuple[Any, ...]) -> Place:
        """Follows one of Pydantic's locations, which name keys, tags and alternatives."""
        path: list[str] = []
        kind: Any = Config
        field, union = None, None
        for part in location:
            kind, tagged = _bare(kind)
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                path.append(str(part))
                field = kind.model_fields.get(str(part))
                kind, union = field.annotation if field else None, None
            elif get_origin(kind) in (Union, UnionType):
                union = None if tagged or (field and field.discriminator) else kind
                kind = next((one for one in get_args(kind) if _is_called(one, part)), None)
            else:
                path.append(str(part))
                kind, union = _inside(kind, part), None
        return cls(tuple(path), union or kind, field, union is not None)

    @property
    def expected(self) -> str:
        """What may stand there, with an example of a list."""
        words = describe(self.kind)
        if "a list" not in words:
            return words
        examples = self.field.examples if self.field else None
        default = self.field.get_default(call_default_factory=True) if self.field else None
        if not examples and not isinstance(default, tuple):
            return words
        example = examples[0] if examples else list(default)
        return f"{words} such as {yaml.safe_dump(example, default_flow_style=True, width=10_000).strip()}"


def describe(kind: Any) -> str:
    """Says what a value of a type is: ``a list of 2 whole numbers``, ``'train' or 'val'``."""
    kind, _ = _bare(kind)
    if kind in _WORDS:
        return _WORDS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _either([repr(value) for value in args])
    if origin is tuple:
        many = _MANY.get(_bare(args[0])[0], f"entries, each {describe(args[0])}")
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
    kind, _ = _bare(kind)
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return [value for one in get_args(kind) for value in literals(one)]
    return []


def tags(kind: Any, discriminator: str) -> list[str]:
    """The values of the key that chooses among sections."""
    sections = get_args(_bare(kind)[0])
    return [tag for one in sections for tag in literals(_bare(one)[0].model_fields[discriminator].annotation)]


def keys_at(location: tuple[Any, ...]) -> list[str]:
    """The keys of the section at a location."""
    kind, _ = _bare(Place.of(location).kind)
    return list(kind.model_fields)


def _bare(kind: Any) -> tuple[Any, bool]:
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


def _inside(kind: Any, part: Any) -> Any:
    args = get_args(kind)
    if get_origin(kind) is dict:
        return args[1]
    if get_origin(kind) is tuple and isinstance(part, int):
        return args[0] if args[-1] is ... else args[min(part, len(args) - 1)]
    return None


def _is_called(one: Any, part: Any) -> bool:
    """Whether an alternative is the one that Pydantic names so."""
    notes = get_args(one)[1:] if get_origin(one) is Annotated else ()
    if any(isinstance(note, Tag) and note.tag == part for note in notes):
        return True
    kind, _ = _bare(one)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.values()
        return part in [kind.__name__, *(tag for field in fields for tag in literals(field.annotation))]
    origin = get_origin(kind)
    name = getattr(origin, "__name__", "") if origin else getattr(kind, "__name__", "")
    if origin is Literal:
        return part == f"literal[{','.join(repr(value) for value in get_args(kind))}]"
    return str(part).partition("[")[0] == name


def _either(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
