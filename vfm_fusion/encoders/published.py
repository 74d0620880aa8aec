"""Which weights an encoder's authors publish, under which terms, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Supervision = Literal["self-supervised", "supervised", "language-supervised", "promptable masks"]
"""What a pre-training learned from: images alone, class labels, captions, masks that prompts ask for."""


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
        options: keyword arguments of timm's converter.
        gated: whether its terms must be accepted before it can be downloaded.
    """

    filename: str
    source: str
    unused: tuple[str, ...] = ()
    zero_biases: tuple[str, ...] = ()
    prefix: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = False


@dataclass(frozen=True)
class Published:
    """Published weights and what tables, sentences and the documentation say of them.

    Attributes:
        pretraining: what they were trained on, as tables print it.
        supervision: what the training learned from.
        lineage: family of the weights: DINO, SAM, Swin, CLIP, ...
        licence: licence of the weights.
        hub: file on the hub, None where there is none.
        official: the authors' own checkpoint, None where only the hub's form is read.
    """

    pretraining: str
    supervision: Supervision
    lineage: str
    licence: str
    hub: HubWeights | None = None
    official: OfficialWeights | None = None
