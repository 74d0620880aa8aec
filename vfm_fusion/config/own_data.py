"""Data in a layout of the user's own: where it lies, how it is split; COCO's JSON of any classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section

SPLIT = "{split}"
"""Stands in a path for the split's name."""

Names = Annotated[tuple[str, ...], Field(strict=False)]


class FolderSplit(Section):
    """Split by folder: what `{split}` stands for in the paths."""

    kind: Literal["folder"] = Field(description="By folder: `{split}` in the paths is the split's name.")
    train: str = Field("train", min_length=1, description="Name of the training split in the paths.")
    val: str = Field("val", min_length=1, description="Name of the validation split in the paths.")


class ListSplit(Section):
    """Split by lists: text files below `root` with the path of an image in each line."""

    kind: Literal["list"] = Field(description="By lists of images, one path below `images` a line.")
    train: str | None = Field(None, description="List of the training images; null: there are none.")
    val: str = Field(description="List of the validation images.")


class FractionSplit(Section):
    """Split by lot: a fraction is for validation, the rest for training."""

    kind: Literal["fraction"] = Field(description="By lot, drawn from the images' paths and the seed.")
    val: float = Field(gt=0, lt=1, description="Part of the images that is for validation.")
    seed: int = Field(0, ge=0, description="Seed of the lot.")


SplitConfig = Annotated[FolderSplit | ListSplit | FractionSplit, Field(discriminator="kind")]


class OwnData(Section):
    """What is common to data in a layout of the user's own."""

    generated: ClassVar[bool] = False

    root: str = Field(
        description="Folder that all paths start from; environment variables such as $VFM_REALDATA are "
        "expanded."
    )
    images: str = Field(
        ".",
        min_length=1,
        description="Folder of the images below `root`, sub-folders included; `{split}` in it is the split.",
    )
    split: SplitConfig | None = Field(
        None,
        examples=[{"kind": "fraction", "val": 0.2, "seed": 0}],
        description="What is for training and what for validation. `{kind: fraction, val: 0.2, seed: 0}`: "
        "by lot; `{kind: list, train: train.txt, val: val.txt}`: by text files below `root`, with the path "
        "of an image below `images` in each line; `{kind: folder, train: training, val: valid}`: by what "
        "`{split}` in the paths stands for. Left out: `train` and `val` where a path has `{split}`, "
        "otherwise every image is for validation.",
    )
    damaged: Literal["refuse", "skip"] = Field(
        "refuse",
        description="What to do about images that cannot be decoded or whose labels are damaged: `refuse` "
        "the data set, or `skip` them; tables then say how many.",
    )

    @property
    def has_training_split(self) -> bool:
        """Whether some images are for training."""
        if isinstance(self.split, ListSplit):
            return self.split.train is not None
        return self.split is not None or self._named_by_split

    def path(self, path: str, split: str) -> str:
        """Fills the name of a split into a path."""
        names = self.split if isinstance(self.split, FolderSplit) else None
        return path.replace(SPLIT, getattr(names, split) if names else split)

    @property
    def _paths(self) -> dict[str, str]:
        """The paths that may hold ``{split}``, by their keys."""
        return {"images": self.images}

    @property
    def _named_by_split(self) -> bool:
        return any(SPLIT in path for path in self._paths.values())

    @model_validator(mode="after")
    def _one_way_to_split(self) -> OwnData:
        if isinstance(self.split, FolderSplit) and not self._named_by_split:
            raise ValueError(
                f"split.kind: folder, but no path has {SPLIT}; write it into {' or '.join(self._paths)}, "
                "where the name of the split stands"
            )
        if isinstance(self.split, ListSplit | FractionSplit) and self._named_by_split:
            raise ValueError(
                f"split.kind: {self.split.kind}, but a path has {SPLIT} already; leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _below_root(self) -> OwnData:
        paths: dict[str, str | None] = dict(self._paths)
        if isinstance(self.split, ListSplit):
            paths |= {"split.train": self.split.train, "split.val": self.split.val}
        for key, path in paths.items():
            if path is not None and (PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts):
                raise ValueError(f"{key}: {path!r} is not below root; set root to a folder above all of them")
        return self


class OwnCocoConfig(OwnData):
    """Annotations in COCO's JSON format with classes of their own: instances or panoptic."""

    labelled: ClassVar[bool] = True

    kind: Literal["coco"] = Field(description="COCO's JSON format with classes of its own.")
    annotations: str = Field(
        min_length=1,
        examples=["annotations/instances_{split}.json"],
        description="The JSON below `root`; `{split}` in it is the split. Instances (polygons, run lengths) "
        "or panoptic, as its annotations say. A `file_name` is a path below `images`.",
    )
    segments: str | None = Field(
        None,
        description="Folder of a panoptic JSON's PNGs below `root`. Left out: that of the JSON's name "
        "beside it.",
    )
    classes: Names | None = Field(
        None,
        examples=[["person", "car"]],
        description="Names of the categories that are evaluated, in the order of tables; null: all but those "
        "of `ignore`, in the order of their ids.",
    )
    ignore: Names = Field(
        (), description="Names of categories that are not evaluated: as if not annotated, and void."
    )

    @property
    def segments_folder(self) -> str:
        """Folder of the PNGs of a panoptic JSON, perhaps with ``{split}``."""
        return self.annotations.removesuffix(".json") if self.segments is None else self.segments

    @property
    def _paths(self) -> dict[str, str]:
        segments = {} if self.segments is None else {"segments": self.segments}
        return super()._paths | {"annotations": self.annotations} | segments

    @model_validator(mode="after")
    def _named_once(self) -> OwnCocoConfig:
        if self.classes == ():
            raise ValueError("classes: none; leave it out for all categories of the file")
        if repeated := twice([*(self.classes or ()), *self.ignore]):
            raise ValueError(f"classes: {repeated[0]!r} occurs twice (ignore counts too)")
        return self


def twice(values: Iterable[object]) -> list[object]:
    """Returns the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]
