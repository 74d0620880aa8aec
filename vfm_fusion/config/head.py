"""The mask head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.registries import MATCHERS


class HeadConfig(Section):
    """Mask2Former head (transformers' implementation), trained from scratch."""

    pyramid_channels: tuple[int, int, int, int] = Field(
        (128, 256, 512, 1024),
        strict=False,
        description="Channels that a single-stride encoder is projected to at OS 4, 8, 16, 32.",
    )
    hidden_dim: int = Field(
        256,
        ge=32,
        multiple_of=32,
        description="Width of pixel decoder and transformer decoder (32 normalisation groups).",
    )
    heads: int = Field(8, ge=1, description="Attention heads.")
    pixel_decoder_layers: int = Field(
        6, ge=1, description="Deformable attention layers of the pixel decoder."
    )
    pixel_decoder_feedforward_dim: int = Field(
        1024, ge=16, description="Feed-forward width of the pixel decoder."
    )
    decoder_layers: int = Field(
        9, ge=1, description="Masked-attention decoder layers after the initial prediction."
    )
    feedforward_dim: int = Field(2048, ge=16, description="Feed-forward width of the transformer decoder.")
    queries: int = Field(100, ge=1, description="Object queries.")
    matcher: Literal[*MATCHERS] = Field(
        "hungarian",
        description="Which query answers for which target: the `hungarian` assignment of least cost, or "
        "`identity`: query k is class k, as where queries are made of text (one query a class; task "
        "`semantic`).",
    )
    text_temperature: float = Field(
        0.07,
        gt=0,
        description="Where classes are text embeddings: what their cosine similarities are divided by at "
        "first; training changes it.",
    )
    points: int = Field(12544, ge=16, description="Points at which the mask losses are sampled.")
    oversample: float = Field(3.0, ge=1, description="Oversampling ratio of uncertain points.")
    importance: float = Field(0.75, ge=0, le=1, description="Share of the points chosen by uncertainty.")
    class_weight: float = Field(2.0, ge=0, description="Weight of the classification loss.")
    mask_weight: float = Field(5.0, ge=0, description="Weight of the mask cross-entropy.")
    dice_weight: float = Field(5.0, ge=0, description="Weight of the dice loss.")
    no_object_weight: float = Field(0.1, ge=0, description="Class weight of 'no object'.")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> HeadConfig:
        if self.hidden_dim % self.heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} must be a multiple of heads {self.heads}")
        return self
