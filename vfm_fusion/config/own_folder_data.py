"""A folder of photos as a data set: masks of classes, rasters of objects, and what their values mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.own_data import SPLIT, Names, OwnData, twice

KEY = "{}"
"""Stands in the path of a mask or of a raster of objects for its image's."""

Channel = Annotated[int, Field(ge=0, le=255)]
Color = Annotated[tuple[Channel, Channel, Channel], Field(strict=False)]
Id = Annotated[int, Field(ge=0, le=255)]
Number = Annotated[int, Field(ge=0, le=65_535)]


class MaskClass(Section):
    """A class of the masks."""

    name: str = Field(min_length=1, description="Name of the class in tables.")
    id: Id | None = Field(None, description="Its value in the masks; left out where they hold colours.")
    color: Color | None = Field(
        None,
        examples=[[128, 64, 128]],
        description="[red, green, blue] of the class: what stands in the masks where no class has an id, "
        "otherwise its colour in figures.",
    )


class FolderObjects(Section):
    """Rasters that tell objects apart, as large as their images; in place of null."""

    path: str = Field(
        examples=["objects/{}.png"],
        description="Path of a raster below `root`, with `{}` as in that of a mask. 0 or black is no object, "
        "every other value or colour is one.",
    )
    by: Literal["id", "color"] = Field(
        "id",
        description="What tells objects apart: the values of one channel (1, 8 or 16 bits, or the indices of "
        "a palette), or colours.",
    )
    ignore: Annotated[tuple[Number | Color, ...], Field(strict=False)] = Field(
        (),
        examples=[[255]],
        description="Values or colours of pixels that were not decided: no object, and void.",
    )
    classes: Names = Field(
        (),
        examples=[["person"]],
        description="Which of the classes of the masks have objects; an object is of the class that most of "
        "its pixels have. Left out where there are no masks: then objects are of one class, `object`, and "
        "all else is `background`.",
    )

    @model_validator(mode="after")
    def _one_kind_of_value(self) -> FolderObjects:
        other = [value for value in self.ignore if isinstance(value, tuple) != (self.by == "color")]
        if other:
            raise ValueError(f"ignore: {_plain(other[0])} is no {self.by}; by: {self.by} tells objects apart")
        if none := {0, (0, 0, 0)}.intersection(self.ignore):
            raise ValueError(f"ignore: {_plain(none.pop())} is where there is no object, which is decided")
        if repeated := twice([*self.ignore, *self.classes]):
            raise ValueError(f"{_plain(repeated[0])} occurs twice")
        return self


class OwnFolderConfig(OwnData):
    """A folder of photos, at any depth; perhaps with a mask of classes or a raster of objects for each."""

    kind: Literal["folder"] = Field(
        description="A folder of photos, at any depth, perhaps with masks of classes or rasters of objects."
    )
    masks: str | None = Field(
        None,
        examples=["masks/{}.png"],
        description="Path of a mask below `root`, with `{}` for its image's path below `images` without the "
        "extension: `masks/{}.png`, `{}_mask.png`. null: the photos have no labels of classes.",
    )
    classes: Annotated[tuple[str | MaskClass, ...], Field(strict=False)] = Field(
        (),
        examples=[["background", "person"]],
        description="Classes of the masks: names, for the ids 0, 1, 2, ...; or entries `{name, id}` or "
        "`{name, color: [red, green, blue]}`.",
    )
    ignore: Annotated[tuple[Id | Color, ...], Field(strict=False)] = Field(
        (),
        examples=[[255]],
        description="Ids or colours in the masks that are void: no class, and not evaluated.",
    )
    objects: FolderObjects | None = Field(
        None, description="Rasters that tell objects apart; null: there are none."
    )

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return bool(self.patterns)

    @property
    def patterns(self) -> dict[str, str]:
        """The paths of labels, each with ``{}``, by their keys."""
        objects = None if self.objects is None else self.objects.path
        found = {"masks": self.masks, "objects.path": objects}
        return {key: path for key, path in found.items() if path is not None}

    @property
    def table(self) -> tuple[MaskClass, ...]:
        """The classes, those of a mere name with their position as id."""
        return tuple(
            MaskClass(name=entry, id=position) if isinstance(entry, str) else entry
            for position, entry in enumerate(self.classes)
        )

    @property
    def by_color(self) -> bool:
        """Whether the masks hold colours."""
        return all(entry.id is None for entry in self.table)

    @property
    def _paths(self) -> dict[str, str]:
        return super()._paths | self.patterns

    @model_validator(mode="after")
    def _patterns_of_labels(self) -> OwnFolderConfig:
        for key, pattern in self.patterns.items():
            if pattern.count(KEY) != 1:
                raise ValueError(
                    f"{key}: {pattern!r} has to have one {KEY}, in place of the path of the image, as in "
                    f"{key.split('.')[0]}/{{}}.png"
                )
            if any(brace in pattern.replace(KEY, "").replace(SPLIT, "") for brace in "{}"):
                raise ValueError(f"{key}: {pattern!r} has braces other than {KEY} and {SPLIT}")
        if len(set(self.patterns.values())) < len(self.patterns):
            raise ValueError(
                f"objects.path: {self.masks!r} are the masks of classes; one file tells classes or objects"
            )
        return self

    @model_validator(mode="after")
    def _masks_and_classes(self) -> OwnFolderConfig:
        if self.masks is None:
            if self.classes or self.ignore:
                of_objects = "" if self.objects is None else "; what is void of objects is objects.ignore"
                raise ValueError(
                    f"classes and ignore are of masks; say where they are: masks: masks/{{}}.png{of_objects}"
                )
            return self
        if not self.classes:
            raise ValueError("classes: required with masks, as in classes: [background, person]")
        if len(self.classes) > 255:
            raise ValueError(f"classes: {len(self.classes)} are too many; masks of 8 bits tell up to 255")
        return self

    @model_validator(mode="after")
    def _classes_of_objects(self) -> OwnFolderConfig:
        if self.objects is None:
            return self
        if self.masks is None and self.objects.classes:
            raise ValueError(
                "objects.classes: are among those of masks; say where these are, or leave it out"
            )
        if self.masks is not None and not self.objects.classes:
            raise ValueError("objects.classes: required with masks; name those of classes that have objects")
        names = [entry.name for entry in self.table]
        for name in self.objects.classes:
            if name not in names:
                raise ValueError(f"objects.classes: {name!r} is none of classes{did_you_mean(name, names)}")
        return self

    @model_validator(mode="after")
    def _one_table(self) -> OwnFolderConfig:
        what, values = "id", [entry.id for entry in self.table]
        if self.by_color:
            what, values = "color", [entry.color for entry in self.table]
        if None in values:
            entry = self.table[values.index(None)]
            raise ValueError(f"classes: {entry.name!r} has no {what}; give every class one of the same kind")
        for name, found in (("name", [entry.name for entry in self.table]), (what, [*values, *self.ignore])):
            if repeated := twice(found):
                raise ValueError(f"classes: {name} {_plain(repeated[0])} occurs twice (ignore counts too)")
        other = [value for value in self.ignore if isinstance(value, tuple) != self.by_color]
        if other:
            raise ValueError(f"ignore: {_plain(other[0])} is no {what}, by which classes tells the classes")
        return self


def _plain(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
