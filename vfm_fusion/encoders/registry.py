"""The encoders that can be named in a configuration: declarations only, nothing is built here."""

from __future__ import annotations

from vfm_fusion.encoders.entries import dino, language, sam, small
from vfm_fusion.encoders.entries import swin as supervised
from vfm_fusion.encoders.spec import EncoderSpec

_SPECS = (*small.ENTRIES, *dino.ENTRIES, *sam.ENTRIES, *supervised.ENTRIES, *language.ENTRIES)

ARCHITECTURES: dict[str, EncoderSpec] = {spec.architecture: spec for spec in _SPECS}
"""Every known architecture by name."""
