"""What can be said against an encoder's settings before anything is built or read."""

from __future__ import annotations

from vfm_fusion.config.encoders import EncoderConfig, FileWeights, HubWeights
from vfm_fusion.encoders.describe import training_of
from vfm_fusion.encoders.hub import hub_source
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.errors import ConfigError


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
    if encoder.architecture not in ARCHITECTURES:
        raise ConfigError(
            f"{key}.architecture: {encoder.architecture!r} is unknown; "
            f"choose from: {', '.join(sorted(ARCHITECTURES))}"
        )
    divisor = ARCHITECTURES[encoder.architecture].seen_divisor
    if encoder.resolution is not None and encoder.resolution % divisor:
        raise ConfigError(
            f"{key}.resolution: {encoder.resolution} is no multiple of {divisor}, which "
            f"{encoder.architecture} needs; choose {encoder.resolution // divisor * divisor + divisor}"
        )
    if isinstance(encoder.weights, FileWeights) and encoder.weights.format == "official":
        _check_official(key, encoder.architecture)
    if isinstance(encoder.weights, HubWeights):
        hub_source(f"{key}.weights", encoder)
    training_of(encoder, f"{key}.weights")


def _check_official(key: str, architecture: str) -> None:
    known = [name for name, spec in ARCHITECTURES.items() if spec.published and spec.published.official]
    if architecture not in known:
        raise ConfigError(
            f"{key}.weights.format: official checkpoints of {architecture} are not read, only those of: "
            f"{', '.join(known)}; use format: native"
        )
