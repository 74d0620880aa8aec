"""The encoders that can be named in a configuration: declarations only, nothing is built here."""

from __future__ import annotations

from vfm_fusion.encoders.entries import dino, distilled, language, sam, small
from vfm_fusion.encoders.entries import swin as supervised
from vfm_fusion.encoders.spec import EncoderSpec

_FILES = (small, dino, sam, supervised, language, distilled)

ARCHITECTURES: dict[str, EncoderSpec] = {spec.architecture: spec for file in _FILES for spec in file.ENTRIES}
"""Every known architecture by name."""
