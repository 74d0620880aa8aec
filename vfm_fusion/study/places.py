"""Where in a configuration an error lies, and what may stand there, in words."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from vfm_fusion.config.schema import Config
from vfm_fusion.config.words import bare, expected_of, literals


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
            kind, tagged = bare(kind)
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
        return expected_of(self.kind, self.field)


def tags(kind: Any, discriminator: str) -> list[str]:
    """The values of the key that chooses among sections."""
    sections = get_args(bare(kind)[0])
    return [tag for one in sections for tag in literals(bare(one)[0].model_fields[discriminator].annotation)]


def keys_at(location: tuple[Any, ...]) -> list[str]:
    """The keys of the section at a location."""
    kind, _ = bare(Place.of(location).kind)
    return list(kind.model_fields)


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
    kind, _ = bare(one)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.values()
        return part in [kind.__name__, *(tag for field in fields for tag in literals(field.annotation))]
    origin = get_origin(kind)
    name = getattr(origin, "__name__", "") if origin else getattr(kind, "__name__", "")
    if origin is Literal:
        return part == f"literal[{','.join(repr(value) for value in get_args(kind))}]"
    return str(part).partition("[")[0] == name
