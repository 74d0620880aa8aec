"""Inference and evaluation of trained runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.datasets import Protocol
from vfm_fusion.config.image_size import GridSize


class ResizeConfig(Section):
    """The size that images are segmented at, as detectron2's ``ResizeShortestEdge`` computes it."""

    short_side: int = Field(ge=32, description="Pixels of the shorter side.")
    max_side: int = Field(
        ge=32, description="The longer side gets at most so many pixels; the shorter one shrinks with it."
    )

    @model_validator(mode="after")
    def _ordered(self) -> ResizeConfig:
        if self.short_side > self.max_side:
            raise ValueError(f"short_side {self.short_side} is larger than max_side {self.max_side}")
        return self


HEAD_GRID = 32
"""Images are segmented at sides that are multiples of this: the head's coarsest stride."""


def segmented_size(resize: ResizeConfig | None) -> GridSize:
    """The size that images are segmented at: of their own or resized ones, on the head's grid."""
    if resize is None:
        return GridSize(multiple=HEAD_GRID)
    return GridSize(multiple=HEAD_GRID, short_side=resize.short_side, max_side=resize.max_side)


class WindowConfig(Section):
    """Sliding windows over the (resized) image."""

    size: tuple[int, int] = Field(
        strict=False,
        examples=[[512, 512]],
        description="Height and width of a window, multiples of 32; a smaller image is one.",
    )
    stride: tuple[int, int] = Field(
        strict=False,
        examples=[[341, 341]],
        description="Pixels from one window to the next, down and across, at most `size`; the last window is "
        "flush with the border.",
    )

    @model_validator(mode="after")
    def _covers_the_image(self) -> WindowConfig:
        if any(side < 32 or side % 32 for side in self.size):
            raise ValueError(f"size {list(self.size)}: both sides must be multiples of 32 (the head's grid)")
        if any(not 1 <= step <= side for step, side in zip(self.stride, self.size, strict=True)):
            raise ValueError(
                f"stride {list(self.stride)} must be from 1 to the size {list(self.size)}, or pixels between "
                "two windows would belong to none"
            )
        return self


class EvaluationConfig(Section):
    """Mask2Former inference, and how its predictions are scored."""

    batch_size: int = Field(1, ge=1, description="Images per forward pass.")
    resize: ResizeConfig | None = Field(
        None,
        description="Segment images at another size than their own, as Mask2Former does ADE20K `{short_side: "
        "640, max_side: 2560}` and COCO `{short_side: 800, max_side: 1333}`; null: as they are (Cityscapes). "
        "Predictions are scored at the images' own size either way.",
    )
    window: WindowConfig | None = Field(
        None,
        description="Segment the image in sliding windows and average the class scores where they overlap, "
        "as MFuser does `{size: [512, 512], stride: [341, 341]}`; runs of task `semantic` only, since "
        "objects cannot be merged. null: the whole image at once.",
    )
    top_instances: int = Field(100, ge=1, description="Most confident instances kept per image.")
    object_score: float = Field(
        0.8, ge=0, le=1, description="Panoptic: queries below this class score are dropped."
    )
    overlap: float = Field(
        0.8, ge=0, le=1, description="Panoptic: share of a mask that must survive overlaps."
    )
    max_images: int | None = Field(
        None,
        ge=1,
        description="Evaluate an evenly spaced subset of this many images; null takes the whole split.",
    )
    instance_protocol: Literal["auto"] | Protocol = Field(
        "auto",
        description="Whose rules instance AP follows: `coco` (pycocotools; boundaries are 2 % of the image "
        "diagonal wide), `cityscapes` (cityscapesScripts; 0.5 %), or `auto`: those of the data set's own "
        "benchmark.",
    )
