"""Where an encoder's weight file lies, and what identifies it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.encoders import (
    CheckpointWeights,
    EncoderConfig,
    FileWeights,
    HubWeights,
    SeededWeights,
)
from vfm_fusion.config.paths import expand
from vfm_fusion.encoders.archives import check_archive
from vfm_fusion.encoders.checkpoint import checkpoint_file
from vfm_fusion.encoders.hub import blob_sha256, hub_file, hub_source
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.errors import WeightsError


def weight_file(name: str, encoder: EncoderConfig) -> Path | None:
    """Returns the path of an encoder's weight file, which is there and whole; None where it needs none.

    Args:
        name: the encoder's key, for the message.
        encoder: its configuration.

    Raises:
        ConfigError: hub weights without a repository or revision.
        WeightsError: an environment variable is unset, or the file is missing, truncated or no weight file.
    """
    weights = encoder.weights
    key = f"encoders.{name}.weights"
    if isinstance(weights, SeededWeights):
        return None
    if isinstance(weights, HubWeights):
        path = hub_file(key, encoder)
    elif isinstance(weights, CheckpointWeights):
        folder = expand(weights.path, f"{key}.path", WeightsError)
        path = checkpoint_file(f"{key}.path", folder, encoder.architecture)
    else:
        path = expand(weights.path, f"{key}.path", WeightsError)
        if not path.is_file():
            raise WeightsError(f"{key}.path: no weight file at {path}; {_remedy(encoder)}")
    check_archive(path)
    return path


def weights_digest(encoder: EncoderConfig) -> str:
    """Returns what identifies the weights: the file's SHA-256, or the seed of untrained ones.

    A file is hashed once in a process as long as its size and time of change stay.

    Raises:
        ConfigError: see :func:`weight_file`.
        WeightsError: the file is missing or damaged, or is not the one whose checksum is expected.
    """
    path = weight_file(encoder.architecture, encoder)
    if path is None:
        return f"seed-{encoder.weights.seed}"
    status = path.stat()
    found = _sha256(path.resolve(), status.st_size, status.st_mtime_ns)
    for expected, by in _expected(encoder, path):
        if expected not in (None, found):
            raise WeightsError(
                f"{path}: SHA-256 is {found}, {by} expects {expected}; "
                "get the file again, or correct the checksum if the file is the one you mean"
            )
    return found


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)


def _expected(encoder: EncoderConfig, path: Path) -> list[tuple[str | None, str]]:
    """The checksums that the file must have, and who says so."""
    if not isinstance(encoder.weights, HubWeights):
        return [(encoder.weights.sha256, "the configuration")]
    if encoder.weights.sha256 is not None:
        return [(encoder.weights.sha256, "the configuration")]
    source = hub_source("weights", encoder)
    return [(source.sha256, "the registry"), (blob_sha256(path), "the hub's cache")]


def _remedy(encoder: EncoderConfig) -> str:
    published = ARCHITECTURES[encoder.architecture].published
    if isinstance(encoder.weights, FileWeights) and encoder.weights.format == "official" and published:
        return f"put {published.official.filename} there, from {published.official.source}"
    return "correct the path or put the file there"
