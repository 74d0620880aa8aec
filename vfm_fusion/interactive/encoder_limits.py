"""What click models cannot ask of an encoder, known before anything is built."""

from __future__ import annotations

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ConfigError


def check_reads(config: ClickModelConfig, spec: EncoderSpec, key: str = "") -> None:
    """Refuses what only plain ViTs have, of another encoder.

    Args:
        config: the click model.
        spec: the encoder.
        key: path of the click model's settings with a dot behind it, for the message.

    Raises:
        ConfigError: clicks are to enter early, or attention to be tapped.
    """
    if spec.shows_tokens:
        return
    name = spec.architecture
    if config.inject == "early":
        raise ConfigError(
            f"{key}inject: early, but {name} has no tokens behind a patch embedding that clicks could be "
            "added to; choose late_lr or late_hr, or a plain ViT"
        )
    if config.tap != "maps":
        raise ConfigError(
            f"{key}tap: {config.tap}, but {name} does not show its attention; choose maps, or a plain ViT"
        )


def check_side(side: int, spec: EncoderSpec, key: str) -> None:
    """Refuses a side of images that an encoder does not take.

    Args:
        side: in pixels.
        spec: the encoder.
        key: path of the setting that the side is from, for the message.

    Raises:
        ConfigError: it is no multiple of the encoder's divisor.
    """
    if side % spec.size_divisor:
        raise ConfigError(
            f"{key}: {spec.architecture} takes multiples of {spec.size_divisor} as sides, found {side}"
        )
