"""Feature extraction and its Zarr cache."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vfm_fusion.config.base import Section
from vfm_fusion.config.image_size import SIZE_OF_IMAGES, ImageSize

EXECUTION = frozenset({"parts", "threads", "prune"})
"""Settings that say how the work is done; features do not depend on them, and changing them redoes none."""


class FeaturesConfig(Section):
    """What is extracted and how it is stored."""

    split: Literal["train", "val"] = Field("val", description="Split whose images are profiled.")
    max_images: int | None = Field(
        None,
        ge=1,
        description="Profile a subset of this many images; null takes the whole split.",
    )
    sampling: Literal["even", "random"] = Field(
        "even",
        description="How max_images are picked: evenly spaced in the order of the split, or at random.",
    )
    seed: int = Field(0, ge=0, description="Seed of sampling: random.")
    image_size: ImageSize | None = Field(None, examples=[[480, 640]], description=SIZE_OF_IMAGES)
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Arithmetic of the encoder; bfloat16 runs it under automatic mixed precision, which "
        "pays on a GPU.",
    )
    dtype: Literal["float16", "bfloat16", "float32"] = Field(
        "float16",
        description="Element type of the stored features. Zarr has no bfloat16: its bit patterns are "
        "stored as uint16, and the manifest says so.",
    )
    batch_size: int = Field(4, ge=1, description="Images, of one size, per encoder call; bounds the memory.")
    shard_images: int = Field(
        64,
        ge=1,
        description="Images per file of the store (a Zarr shard; every image stays readable alone). Parts "
        "divide the work by whole shards.",
    )
    parts: int = Field(
        1,
        ge=1,
        description="Jobs that extract one encoder side by side, each its own shards of one store, as on a "
        "cluster. The features are the same for any number. Choose it before an extraction is finished: "
        "afterwards, a change has the store checked and published again, though nothing is computed.",
    )
    threads: int = Field(
        1,
        ge=1,
        description="Threads of one extraction job: of the encoder on a CPU, and of decoding images ahead.",
    )
    prune: bool = Field(
        False, description="Whether the target prune_features deletes what it lists; else it only lists it."
    )


class ProfiledConfig(Section):
    """Which images of a data set are profiled besides those of the main one."""

    split: Literal["train", "val"] = Field("val", description="Split whose images are profiled.")
    max_images: int | None = Field(None, ge=1, description="Profile an evenly spaced subset of this many.")
    image_size: ImageSize | None = Field(
        None,
        examples=[[480, 640]],
        description="The size that they are profiled at, as in `features`; null: their own.",
    )
