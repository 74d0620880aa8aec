"""Feature extraction and its Zarr cache."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vfm_fusion.config.base import Section


class FeaturesConfig(Section):
    """What is extracted and how it is stored."""

    split: Literal["train", "val"] = Field("val", description="Split whose images are profiled.")
    max_images: int | None = Field(
        None,
        ge=1,
        description="Profile an evenly spaced subset of this many images; null takes the whole split.",
    )
    image_size: tuple[int, int] | None = Field(
        None,
        strict=False,
        description="[height, width] that every image is resized to before encoding; null keeps the "
        "images' own size "
        "(they must then agree).",
    )
    dtype: Literal["float16", "float32"] = Field(
        "float16", description="Element type of the stored features."
    )
    batch_size: int = Field(4, ge=1, description="Images per encoder call; bounds the memory.")


class ProfiledConfig(Section):
    """Which images of a data set are profiled besides those of the main one."""

    split: Literal["train", "val"] = Field("val", description="Split whose images are profiled.")
    max_images: int | None = Field(None, ge=1, description="Profile an evenly spaced subset of this many.")
    image_size: tuple[int, int] | None = Field(
        None,
        strict=False,
        description="[height, width] that every image is resized to; null keeps their own.",
    )
