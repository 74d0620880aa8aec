"""Encoders: which architecture, which weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vfm_fusion.config.base import Section


class SeededWeights(Section):
    """Initial weights from a seed: the encoder is untrained, and every output says so."""

    source: Literal["seeded"] = Field(description="Initial weights drawn from a seed (untrained).")
    seed: int = Field(0, ge=0, description="Seed of the initial weights.")


class FileWeights(Section):
    """Weights from a local safetensors file or ``torch.save`` archive (read with ``weights_only``)."""

    source: Literal["file"] = Field(
        description="A local weight file (safetensors, or a torch archive of tensors)."
    )
    path: str = Field(
        description="Path of the file; environment variables such as $VFM_REALDATA are expanded."
    )
    pretraining: str = Field(
        min_length=1,
        description="What the weights were trained on, as tables print it: `ImageNet, supervised`.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="Expected SHA-256 of the file; checked before anything runs.",
    )


WeightsConfig = Annotated[SeededWeights | FileWeights, Field(discriminator="source")]


class EncoderConfig(Section):
    """One encoder of the study."""

    architecture: str = Field(description="Name in the encoder registry (`vfm_fusion.encoders.registry`).")
    weights: WeightsConfig = Field(description="Where the weights come from.")
    label: str | None = Field(None, description="Name in tables and figures; the key itself when left out.")
