"""What an encoder's settings say of it in tables and sentences, and what can be said against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vfm_fusion.config.encoders import EncoderConfig, FileWeights, HubWeights, SeededWeights, Supervision
from vfm_fusion.encoders.registry import ARCHITECTURES, spec_of
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.encoders.weight_files import hub_source
from vfm_fusion.errors import ConfigError

_GUARDED = ("DINO", "SAM")
_KINDS: dict[Supervision | None, str] = {
    "self-supervised": "Self-supervised",
    "supervised": "Supervised",
    "language-supervised": "Language-supervised",
    "edge-supervised": "Edge-supervised",
    "promptable masks": "Trained with promptable masks",
    None: "Trained, with a supervision that is not stated",
}


@dataclass(frozen=True)
class Training:
    """How an encoder's weights came to be.

    Attributes:
        pretraining: as tables print it.
        supervision: what it learned from; None where it is not stated.
        lineage: family of the weights; None where there is none.
    """

    pretraining: str
    supervision: Supervision | None
    lineage: str | None


def training_of(config: EncoderConfig, key: str = "weights") -> Training | None:
    """Returns how an encoder's weights were trained, None for initial ones.

    What the configuration leaves out is what the registry says of the architecture's published weights; the
    kind of supervision only where the configuration says nothing of the pre-training either.

    Args:
        config: architecture and weights.
        key: path of the weights' settings, for the message.

    Raises:
        ConfigError: neither the configuration nor the registry says what the weights were trained on.
    """
    weights = config.weights
    if isinstance(weights, SeededWeights):
        return None
    published = spec_of(config.architecture).published
    silent = weights.pretraining is None
    if silent and published is None:
        raise ConfigError(
            f"{key}.pretraining: required, since no published weights of {config.architecture} are known; "
            "say what these were trained on"
        )
    return Training(
        pretraining=published.pretraining if silent else weights.pretraining,
        supervision=weights.supervision or (published.supervision if silent else None),
        lineage=weights.lineage or (published.lineage if published else None),
    )


def describe_pretraining(config: EncoderConfig) -> str:
    """Returns how tables and figures name the encoder's pre-training, such as ``untrained (seed 0)``."""
    training = training_of(config)
    return f"untrained (seed {config.weights.seed})" if training is None else training.pretraining


def encoder_facts(name: str, config: EncoderConfig) -> dict[str, str | None]:
    """Returns an encoder's name in print, its training and the licence of its published weights.

    Args:
        name: its key, which is its name in print where it has no label.
        config: architecture, weights and label.

    Returns:
        ``label``, ``pretraining``, ``supervision``, ``lineage`` and ``licence``; None where there is none.
    """
    training, published = training_of(config), spec_of(config.architecture).published
    return {
        "label": config.label or name,
        "pretraining": describe_pretraining(config),
        "supervision": training and training.supervision,
        "lineage": training and training.lineage,
        "licence": published.licence if training and published else None,
    }


def provenance_sentences(encoders: Mapping[str, EncoderConfig]) -> list[str]:
    """Says how the encoders were trained, and whether weights of the DINO or SAM families are among them.

    Args:
        encoders: encoders by name.

    Returns:
        Whole sentences: one per kind of training that occurs, then one on the two families.
    """
    names = {name: config.label or name for name, config in encoders.items()}
    trained = {name: training_of(config) for name, config in encoders.items()}
    sentences = []
    for kind, words in _KINDS.items():
        of_kind = [names[name] for name, found in trained.items() if found and found.supervision == kind]
        if of_kind:
            sentences.append(f"{words}: {', '.join(of_kind)}.")
    untrained = [names[name] for name, found in trained.items() if found is None]
    if untrained:
        sentences.append(f"Untrained, with initial weights drawn from a seed: {', '.join(untrained)}.")
    return [*sentences, _families(names, trained)]


def _families(names: Mapping[str, str], trained: Mapping[str, Training | None]) -> str:
    used = {
        family: [
            names[name]
            for name, found in trained.items()
            if found and (found.lineage or "").upper() == family
        ]
        for family in _GUARDED
    }
    parts = [f"of the {family} family ({', '.join(members)})" for family, members in used.items() if members]
    if not parts:
        return "No weights of the DINO or SAM families were used."
    return f"Weights {' and '.join(parts)} were used."


def check_encoder(name: str, encoder: EncoderConfig) -> None:
    """Checks an encoder's settings against the registry.

    Args:
        name: the encoder's key, for the message.
        encoder: its configuration.

    Raises:
        ConfigError: unknown architecture, impossible resolution, official weights of an architecture that has
            none, a hub repository or revision that is not known, or a pre-training that nobody states.
    """
    key = f"encoders.{name}"
    spec = check_architecture(key, encoder.architecture)
    _check_resolution(key, spec, encoder.resolution)
    if encoder.positions is not None and spec.positions is None:
        raise ConfigError(
            f"{key}.positions: {encoder.architecture} has no position embedding that could be resized in "
            "another way; leave it out"
        )
    if isinstance(encoder.weights, FileWeights) and encoder.weights.format == "official":
        _check_official(key, encoder.architecture)
    if isinstance(encoder.weights, HubWeights):
        hub_source(f"{key}.weights", encoder)
    training_of(encoder, f"{key}.weights")


def check_architecture(key: str, architecture: str) -> EncoderSpec:
    """Looks an architecture up.

    Args:
        key: where its name stands, for the message.
        architecture: the name.

    Raises:
        ConfigError: see :func:`vfm_fusion.encoders.registry.spec_of`.
    """
    try:
        return spec_of(architecture)
    except ConfigError as error:
        raise ConfigError(f"{key}.architecture: {error}") from error


def _check_resolution(key: str, spec: EncoderSpec, resolution: int | None) -> None:
    if resolution is None:
        return
    if spec.input_side not in (None, resolution):
        raise ConfigError(
            f"{key}.resolution: {spec.architecture} only takes squares of {spec.input_side} pixels; leave "
            "resolution out"
        )
    divisor = spec.seen_divisor
    if resolution % divisor:
        raise ConfigError(
            f"{key}.resolution: {resolution} is no multiple of {divisor}, which "
            f"{spec.architecture} needs; choose {resolution // divisor * divisor + divisor}"
        )


def _check_official(key: str, architecture: str) -> None:
    known = [name for name, spec in ARCHITECTURES.items() if spec.published and spec.published.official]
    if architecture not in known:
        raise ConfigError(
            f"{key}.weights.format: official checkpoints of {architecture} are not read, only those of: "
            f"{', '.join(known)}; use format: native"
        )
