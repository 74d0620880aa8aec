"""Data sets: where the images and labels come from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vfm_fusion.config.base import Section

Style = Literal["synthetic", "real"]

Protocol = Literal["coco", "cityscapes"]
"""Whose rules the objects of a data set are evaluated by."""

_READERS = "vfm_fusion.datasets.readers"

READERS: dict[str, str] = {
    "acdc": f"{_READERS}.acdc:READER",
    "ade20k": f"{_READERS}.ade20k:READER",
    "bdd100k": f"{_READERS}.bdd100k:READER",
    "berkeley": f"{_READERS}.click_sets:BERKELEY",
    "camvid": f"{_READERS}.camvid:READER",
    "cityscapes": "vfm_fusion.datasets.cityscapes:READER",
    "coco_instance": f"{_READERS}.coco_instance:READER",
    "coco_mval": f"{_READERS}.click_sets:COCO_MVAL",
    "coco_panoptic": f"{_READERS}.coco_panoptic:READER",
    "coco_stuff": f"{_READERS}.coco_stuff:READER",
    "davis": f"{_READERS}.click_sets:DAVIS",
    "grabcut": f"{_READERS}.click_sets:GRABCUT",
    "gta5": f"{_READERS}.gta5:READER",
    "kitti360": f"{_READERS}.kitti360:READER",
    "mapillary": f"{_READERS}.mapillary:READER",
    "miniscapes": "vfm_fusion.datasets.cityscapes:READER",
    "sbd": f"{_READERS}.sbd:READER",
    "synscapes": f"{_READERS}.synscapes:READER",
    "synthia": f"{_READERS}.synthia:READER",
    "urbansyn": f"{_READERS}.urbansyn:READER",
}
"""The one list of data set kinds: each with the ``module:name`` of its reader, which has all other facts."""

FOLDERS = tuple(kind for kind in READERS if kind != "miniscapes")
"""The kinds that are read from a folder of the user's."""

Kind = Literal[*FOLDERS]


class MiniscapesConfig(Section):
    """Generated street scenes, written in the official Cityscapes layout."""

    generated: ClassVar[bool] = True

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


DatasetConfig = Annotated[MiniscapesConfig | FolderConfig, Field(discriminator="kind")]
