"""The size at which images are profiled, in the ways that the field has of choosing one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from vfm_fusion.config.base import Section

Side = Annotated[int, Field(ge=32)]
Sides = Annotated[tuple[Side, Side], Field(strict=False, examples=[[480, 640]])]


class ShortSideSize(Section):
    """Images keep their shape; the shorter side gets so many pixels."""

    short_side: Side = Field(description="Pixels of the shorter side.")
    max_side: Side | None = Field(
        None,
        description="The longer side gets at most so many pixels; the shorter one shrinks with it.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> ShortSideSize:
        if self.max_side is not None and self.short_side > self.max_side:
            raise ValueError(f"short_side {self.short_side} is larger than max_side {self.max_side}")
        return self


class LongSideSize(Section):
    """Images keep their shape; the longer side gets so many pixels."""

    long_side: Side = Field(description="Pixels of the longer side.")


class PadSize(Section):
    """Images keep their shape; they are scaled to fit into [height, width] and filled up to it."""

    pad: Sides = Field(
        description="[height, width] that the encoder is given: the image at the top left, the rest filled "
        "with the encoder's mean colour. What lies over the padding is cut off the maps and never scored."
    )


class CropSize(Section):
    """Images are scaled to cover [height, width], and what lies beyond is cut off on both sides."""

    crop: Sides = Field(description="[height, width] of the middle of the image that is kept.")


class GridSize(Section):
    """Images keep their shape, nearly: both sides go to the nearest multiples of one number.

    At 32 it is the size at which images are segmented; with ``short_side`` it is scaled before, as
    detectron2's ``ResizeShortestEdge`` does.
    """

    multiple: Annotated[int, Field(ge=1)] = Field(description="What both sides become multiples of.")
    short_side: Side | None = Field(
        None, description="Pixels of the shorter side before that; null: its own."
    )
    max_side: Side | None = Field(
        None, description="With short_side: the longer side gets at most so many pixels."
    )


_FORMS = ("short_side", "long_side", "pad", "crop")
"""The keys that tell which form a section is."""


def _form(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return "squash"
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    if "multiple" in keys:
        return "multiple"
    forms = [form for form in _FORMS if form in keys]
    return forms[0] if len(forms) == 1 else None


ImageSize = Annotated[
    Annotated[Sides, Tag("squash")]
    | Annotated[ShortSideSize, Tag("short_side")]
    | Annotated[LongSideSize, Tag("long_side")]
    | Annotated[PadSize, Tag("pad")]
    | Annotated[CropSize, Tag("crop")]
    | Annotated[GridSize, Tag("multiple")],
    Discriminator(
        _form,
        custom_error_type="image_size",
        custom_error_message="expected one of [480, 640] (height, width), {short_side: 512}, "
        "{long_side: 640}, {multiple: 32}, {pad: [480, 640]}, {crop: [480, 640]} and null",
    ),
]
"""[height, width] squashes every image to it; the other forms keep its shape."""

_PLAIN: TypeAdapter[ImageSize | None] = TypeAdapter(ImageSize | None)


def read_image_size(plain: Any) -> ImageSize | None:
    """Validates a setting that is plain data, as :func:`plain_image_size` gives it."""
    return _PLAIN.validate_python(plain)


def plain_image_size(setting: ImageSize | None) -> Any:
    """Returns a setting as plain data that JSON can hold."""
    return _PLAIN.dump_python(setting, mode="json")


SIZE_OF_IMAGES = (
    "The size that every image is profiled at. [height, width] squashes it; `{short_side: 512}` (with "
    "`max_side: 1024`, if the longer side is to be bounded) and `{long_side: 640}` scale it and keep its "
    "shape; `{multiple: 32}` takes both sides to the nearest multiples; `{pad: [480, 640]}` fits it into "
    "that size and fills up the rest, which is never scored; `{crop: [480, 640]}` keeps the middle of it. "
    "Labels are cut alike. null: the images' own sizes, whatever they are."
)
"""What the setting means."""
