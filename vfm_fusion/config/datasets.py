"""Data sets: where the images and labels come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vfm_fusion.config.base import Section

Style = Literal["synthetic", "real"]

Kind = Literal[
    "acdc",
    "ade20k",
    "bdd100k",
    "berkeley",
    "camvid",
    "cityscapes",
    "coco_instance",
    "coco_mval",
    "coco_panoptic",
    "coco_stuff",
    "davis",
    "grabcut",
    "gta5",
    "kitti360",
    "mapillary",
    "sbd",
    "synscapes",
    "synthia",
    "urbansyn",
]
"""The data sets whose official layout can be read (``vfm_fusion.datasets.registry``)."""


class MiniscapesConfig(Section):
    """Generated street scenes, written in the official Cityscapes layout."""

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

    kind: Kind = Field(
        description="Which layout: acdc, ade20k, bdd100k, berkeley, camvid, cityscapes, coco_instance, "
        "coco_mval, coco_panoptic, coco_stuff, davis, grabcut, gta5, kitti360, mapillary, sbd, synscapes, "
        "synthia or urbansyn."
    )
    root: str = Field(
        description="Folder that the layout starts from; environment variables such as $VFM_REALDATA are "
        "expanded."
    )
    damaged: Literal["refuse", "skip"] = Field(
        "refuse",
        description="What to do about images that cannot be decoded or whose labels are damaged: `refuse` "
        "the data set, or `skip` them; tables then say how many.",
    )


DatasetConfig = Annotated[MiniscapesConfig | FolderConfig, Field(discriminator="kind")]
