"""Data sets: where the images and labels come from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vfm_fusion.config.base import Section
from vfm_fusion.config.own_data import OwnCocoConfig
from vfm_fusion.config.own_folder_data import OwnFolderConfig
from vfm_fusion.config.registries import READERS

Style = Literal["synthetic", "real"]

Protocol = Literal["coco", "cityscapes"]
"""Whose rules the objects of a data set are evaluated by."""

FOLDERS = tuple(kind for kind in READERS if kind not in ("miniscapes", "folder", "coco"))
"""The kinds that are read from a folder of the user's in an official layout."""

Kind = Literal[*FOLDERS]


class MiniscapesConfig(Section):
    """Generated street scenes, written in the official Cityscapes layout."""

    generated: ClassVar[bool] = True
    labelled: ClassVar[bool] = True
    has_training_split: ClassVar[bool] = True

    kind: Literal["miniscapes"] = Field(description="Generated scenes; nothing has to be downloaded.")
    train: int = Field(240, ge=1, description="Number of training images.")
    val: int = Field(80, ge=1, description="Number of validation images.")
    height: int = Field(256, ge=64, multiple_of=32, description="Image height in pixels, a multiple of 32.")
    width: int = Field(512, ge=64, multiple_of=32, description="Image width in pixels, a multiple of 32.")
    style: Style = Field(
        "synthetic", description="Rendering style: clean `synthetic`, or `real` with a camera's flaws."
    )
    seed: int = Field(0, ge=0, description="Seed of the scenes; train and val use disjoint streams.")


class FolderConfig(Section):
    """A data set that you have, in its official layout (`docs/datasets.md` shows each)."""

    generated: ClassVar[bool] = False
    labelled: ClassVar[bool] = True
    has_training_split: ClassVar[bool] = True

    kind: Kind = Field(description=f"Which layout: {', '.join(FOLDERS[:-1])} or {FOLDERS[-1]}.")
    root: str = Field(
        description="Folder that the layout starts from; environment variables such as $VFM_REALDATA are "
        "expanded."
    )
    damaged: Literal["refuse", "skip"] = Field(
        "refuse",
        description="What to do about images that cannot be decoded or whose labels are damaged: `refuse` "
        "the data set, or `skip` them; tables then say how many.",
    )


DatasetConfig = Annotated[
    MiniscapesConfig | FolderConfig | OwnFolderConfig | OwnCocoConfig, Field(discriminator="kind")
]
