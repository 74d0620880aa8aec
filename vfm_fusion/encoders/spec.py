"""What is known of an encoder without building it, and which weights its authors publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from vfm_fusion.config.encoders import Positions, Supervision
from vfm_fusion.config.registries import TOKEN_FAMILIES

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class HubWeights:
    """A file in timm's key names on the Hugging Face hub.

    Attributes:
        repository: ``owner/name``.
        revision: commit that is used unless the configuration names another; None where none is pinned.
        sha256: SHA-256 of the file at that revision, None where it is not known.
        gated: whether the repository asks for a login and for its terms to be accepted.
        filename: the file in the repository.
    """

    repository: str
    revision: str | None = None
    sha256: str | None = None
    gated: bool = False
    filename: str = "model.safetensors"


@dataclass(frozen=True)
class OfficialWeights:
    """The checkpoint as its authors publish it, in their key names.

    Attributes:
        filename: name of the published file.
        source: page or address that it is to be had from.
        unused: patterns of its keys that the encoder does not use (decoders, necks, mask tokens).
        zero_biases: patterns of attention biases ``(3 C,)`` that the encoder lacks because they are zero for
            query and value; the key's part cancels in the softmax. They must be zero.
        prefix: what every other key starts with.
        positions_with_class: whether the position embedding has a place for the class token, which the
            encoder's own class token already contains (DINOv2 with registers).
        options: keyword arguments of timm's converter.
        gated: whether its terms must be accepted before it can be downloaded.
    """

    filename: str
    source: str
    unused: tuple[str, ...] = ()
    zero_biases: tuple[str, ...] = ()
    prefix: str = ""
    positions_with_class: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = False


@dataclass(frozen=True)
class Published:
    """Published weights and what tables, sentences and the documentation say of them.

    Attributes:
        pretraining: what they were trained on, as tables print it.
        supervision: what the training learned from; None where it was several things, or is not known.
        lineage: family of the weights: DINO, SAM, Swin, CLIP, ...; None where it is not known.
        licence: licence of the weights.
        hub: file on the hub, None where there is none.
        official: the authors' own checkpoint, None where only the hub's form is read.
        page: where else a file in the encoder's key names is to be had.
    """

    pretraining: str
    supervision: Supervision | None
    lineage: str | None
    licence: str
    hub: HubWeights | None = None
    official: OfficialWeights | None = None
    page: str | None = None


@dataclass(frozen=True)
class EncoderSpec:
    """Static facts about an encoder, in the spirit of detectron2's ``ShapeSpec``.

    Attributes:
        architecture: key in the registry.
        family: which class builds it, a key of ``FAMILIES`` in ``config.registries``.
        channels: output stride -> channels, strides ascending. Strides count pixels of the image that the
            encoder is given. A plain ViT of 14-pixel patches has OS 16 here: it sees the image at 14/16 of
            its size, so that its tokens lie on the grid of OS 16.
        size_divisor: image sides must be multiples of this.
        patch_size: patch side of a plain ViT in the pixels that it sees, None for hierarchical encoders.
        mean: mean of RGB in [0, 1] that the encoder subtracts.
        std: standard deviation of RGB in [0, 1] that it divides by.
        fixed_fit: how an image becomes the square of a configured ``resolution``: ``resize`` squashes it;
            ``pad`` scales its longer side and fills up with zeros (the mean colour) below and on the right.
        positions: how the position embedding of a plain ViT is brought to the grid of an image, as its
            authors' code does it; None where there is none to bring there (rotary positions, windows).
        levels: output stride -> index among the maps that a hierarchical model of timm's gives, where these
            are more than the strides.
        input_side: side of the square that the model only takes; None for one that takes any size.
        timm_name: timm model to create, where the family is timm's.
        options: keyword arguments of the model's constructor.
        unused: patterns of checkpoint keys that the encoder does not use (classification heads).
        published: the weights that its authors publish, None for an architecture of this project.
    """

    architecture: str
    family: str
    channels: dict[int, int]
    size_divisor: int
    patch_size: int | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    fixed_fit: Literal["resize", "pad"] = "resize"
    positions: Positions | None = None
    levels: Mapping[int, int] = field(default_factory=dict)
    input_side: int | None = None
    timm_name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    published: Published | None = None

    def facts(self) -> dict[str, Any]:
        """Returns what features depend on, as plain data: all but what is only said of published weights."""
        facts = asdict(self)
        published = facts.pop("published") or {}
        return {**facts, "official": published.get("official")}

    @property
    def strides(self) -> tuple[int, ...]:
        """Output strides, ascending."""
        return tuple(sorted(self.channels))

    @property
    def shows_tokens(self) -> bool:
        """Whether it is a plain ViT: a :class:`~vfm_fusion.encoders.tokens.TokenEncoder`."""
        return self.family in TOKEN_FAMILIES

    @property
    def seen_divisor(self) -> int:
        """What the sides of the image that the model sees are multiples of."""
        return self.patch_size or self.size_divisor

    def cell(self, stride: int) -> int:
        """Returns the side of a cell of the map at ``stride``, in pixels of the image that the model sees."""
        return self.patch_size or stride
