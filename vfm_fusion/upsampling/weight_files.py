"""Where the weight file of an upsampler lies, and whether it is the one that is meant."""

from __future__ import annotations

from pathlib import Path

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.paths import expand
from vfm_fusion.config.upsampling import UpsamplerFile
from vfm_fusion.encoders.weight_files import check_archive
from vfm_fusion.errors import WeightsError


def upsampler_file(key: str, weights: UpsamplerFile, encoder: str) -> Path:
    """Returns the path of an upsampler's weight file, which is there, whole and the one that is expected.

    Args:
        key: path of the weights' settings, for the message.
        weights: the settings.
        encoder: name of the encoder whose maps are upsampled.

    Raises:
        WeightsError: an environment variable is unset, or the file is missing, truncated, no weight file, or
            of another checksum.
    """
    path = expand(weights.path.replace("{encoder}", encoder), f"{key}.path", WeightsError)
    if not path.is_file():
        raise WeightsError(
            f"{key}.path: no weight file at {path}; correct the path, put there the file of this upsampler "
            f"(docs/upsampling.md says where its authors' is) for {encoder}, or train one: source: trained"
        )
    check_archive(path)
    found = file_sha256(path) if weights.sha256 else None
    if found != weights.sha256:
        raise WeightsError(
            f"{path}: SHA-256 is {found}, {key}.sha256 expects {weights.sha256}; get the file again, or "
            "correct the checksum if the file is the one you mean"
        )
    return path
