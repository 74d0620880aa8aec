"""Encoders: which architecture, which weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vfm_fusion.config.base import Section

Supervision = Literal[
    "self-supervised", "supervised", "language-supervised", "edge-supervised", "promptable masks"
]
"""What a pre-training learned from: images alone, class labels, captions, drawn contours, masks that prompts
ask for."""

Positions = Literal["antialiased", "offset"]
"""How a position embedding is resized, bicubically: to the very grid with antialiasing, as timm does; or
without, by the factor (n + .1) / N, as the code of DINO and DINOv2 does."""

_SHA256 = r"^[0-9a-f]{64}$"


class SeededWeights(Section):
    """Initial weights from a seed: the encoder is untrained, and every output says so."""

    source: Literal["seeded"] = Field(description="Initial weights drawn from a seed (untrained).")
    seed: int = Field(0, ge=0, description="Seed of the initial weights.")


class TrainedWeights(Section):
    """What tables and sentences say of weights that were trained."""

    pretraining: str | None = Field(
        None,
        min_length=1,
        description="What the weights were trained on, as tables print it: `ImageNet, supervised`. Left out: "
        "what the registry says of the published weights.",
    )
    supervision: Supervision | None = Field(
        None,
        description="What the training learned from. Left out: as in the registry where `pretraining` is "
        "left out too, otherwise not stated.",
    )
    lineage: str | None = Field(
        None,
        min_length=1,
        description="Family of the weights (`DINO`, `SAM`, `Swin`, ...; `none` where it has none). Left out: "
        "that of the architecture's published weights.",
    )


class FileWeights(TrainedWeights):
    """Weights from a local safetensors file or ``torch.save`` archive (read with ``weights_only``)."""

    source: Literal["file"] = Field(
        description="A local weight file (safetensors, or a torch archive of tensors)."
    )
    path: str = Field(
        description="Path of the file; environment variables such as $VFM_REALDATA are expanded."
    )
    format: Literal["native", "official"] = Field(
        "native",
        description="Whose key names it has: `native` timm's (torchvision's, R2D2's) or this project's, "
        "`official` those of the checkpoint as its authors publish it (docs/encoders.md).",
    )
    key: str | None = Field(
        None,
        min_length=1,
        description="Where in a training script's checkpoint the encoder is: names of its entries, then the "
        "start of its keys, joined by dots (`teacher`, `state_dict.model.backbone`). Left out: the whole "
        "file, or its `state_dict`, `model` or `module`.",
    )
    sha256: str | None = Field(
        None, pattern=_SHA256, description="Expected SHA-256 of the file; checked before anything runs."
    )


class HubWeights(TrainedWeights):
    """Weights from the Hugging Face hub's cache, in timm's key names; fetched where the hub is online."""

    source: Literal["hub"] = Field(description="The Hugging Face hub, or its cache (docs/encoders.md).")
    repository: str | None = Field(
        None,
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="Repository `owner/name`. Left out: the registry's for the architecture.",
    )
    revision: str | None = Field(
        None, min_length=1, description="Commit, tag or branch. Left out: the commit that the registry pins."
    )
    filename: str = Field("model.safetensors", min_length=1, description="File in the repository.")
    sha256: str | None = Field(
        None,
        pattern=_SHA256,
        description="Expected SHA-256 of the file. Left out: the registry's where it knows it.",
    )


class CheckpointWeights(TrainedWeights):
    """The encoder that a training run of this project has fine-tuned."""

    source: Literal["checkpoint"] = Field(
        description="The fine-tuned master of a finished run (holds parameters only: not for encoders with "
        "batch-norm statistics)."
    )
    path: str = Field(
        description="Folder of the run, with `model.safetensors` and `run.json`; environment variables are "
        "expanded."
    )
    pretraining: str = Field(
        min_length=1, description="What the weights were trained on: `SA-1B, fine-tuned on Cityscapes`."
    )
    supervision: Supervision = Field("supervised", description="What the training learned from.")
    sha256: str | None = Field(None, pattern=_SHA256, description="Expected SHA-256 of `model.safetensors`.")


WeightsConfig = Annotated[
    SeededWeights | FileWeights | HubWeights | CheckpointWeights, Field(discriminator="source")
]


class EncoderConfig(Section):
    """One encoder of the study."""

    architecture: str = Field(
        description="Name in the encoder registry (docs/encoders.md lists them), or `timm:NAME` for any "
        "other model of timm, with or without the tag of its weights (docs/your_encoder.md)."
    )
    weights: WeightsConfig = Field(description="Where the weights come from.")
    resolution: int | None = Field(
        None,
        ge=32,
        description="Side in pixels of the square that the encoder always sees, such as SAM's 1024; the maps "
        "are resampled to the strides of the image itself. Left out: the image at its own size.",
    )
    positions: Positions | None = Field(
        None,
        description="How a plain ViT's position embedding is resized to the image's grid: `antialiased` "
        "(timm), or `offset`, without antialiasing and by the factor (n + .1) / N (DINO, DINOv2). Left out: "
        "as its authors' code does.",
    )
    label: str | None = Field(None, description="Name in tables and figures; the key itself when left out.")
