"""The encoders that can be named in a configuration. Nothing is built here."""

from __future__ import annotations

from vfm_fusion.config.names import did_you_mean
from vfm_fusion.encoders.derived import PREFIX, derived_spec
from vfm_fusion.encoders.entries import dino, distilled, language, sam, small
from vfm_fusion.encoders.entries import swin as supervised
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ConfigError

_FILES = (small, dino, sam, supervised, language, distilled)

ARCHITECTURES: dict[str, EncoderSpec] = {spec.architecture: spec for file in _FILES for spec in file.ENTRIES}
"""Every known architecture by name."""


def spec_of(architecture: str) -> EncoderSpec:
    """Returns what is known of an architecture.

    Args:
        architecture: the name of an entry, or ``timm:NAME`` for any timm model.

    Raises:
        ConfigError: there is no such entry, or the timm model does not exist or cannot be used.
    """
    if architecture.startswith(PREFIX):
        return derived_spec(architecture)
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"{architecture!r} is unknown; choose from: {', '.join(sorted(ARCHITECTURES))}; or timm:NAME for "
            f"any other model of timm{did_you_mean(architecture, ARCHITECTURES)}"
        )
    return ARCHITECTURES[architecture]
