"""Data sets: where the images and labels come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vfm_fusion.config.base import Section

Style = Literal["synthetic", "real"]


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


class CityscapesConfig(Section):
    """Cityscapes in its official layout (``leftImg8bit/`` and ``gtFine/``)."""

    kind: Literal["cityscapes"] = Field(description="The official Cityscapes folders.")
    root: str = Field(
        description="Folder that holds leftImg8bit/ and gtFine/; environment variables such as "
        "$VFM_REALDATA are expanded."
    )


class CamvidConfig(Section):
    """CamVid in the SegNet tutorial's layout (``train/``, ``trainannot/``, ``val/``, ``valannot/``)."""

    kind: Literal["camvid"] = Field(description="The SegNet CamVid folders; semantic labels only.")
    root: str = Field(
        description="Folder that holds train/, trainannot/, val/ and valannot/; environment variables are "
        "expanded."
    )


DatasetConfig = Annotated[MiniscapesConfig | CityscapesConfig | CamvidConfig, Field(discriminator="kind")]
