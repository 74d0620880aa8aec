"""Checkpoints as the authors of an encoder publish them, brought to timm's key names by timm's converters."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase

from torch import Tensor

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.published import OfficialWeights
from vfm_fusion.errors import WeightsError


def matches(key: str, patterns: tuple[str, ...]) -> bool:
    """Whether a checkpoint's key matches one of the patterns."""
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def from_official(encoder: Encoder, tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Brings an official checkpoint to the names of the encoder's timm model.

    Args:
        encoder: an encoder whose spec declares official weights.
        tensors: the checkpoint, unwrapped.
        source: what the message calls it.

    Returns:
        timm's key -> tensor, the very tensors of the checkpoint.

    Raises:
        WeightsError: keys that the spec does not declare, tensors that fit only after resampling, or biases
            that should be zero and are not.
    """
    official: OfficialWeights = encoder.spec.published.official
    _check_zero(tensors, official, source)
    skipped = (*official.unused, *official.zero_biases)
    used = {key: value for key, value in tensors.items() if not matches(key, skipped)}
    foreign = [key for key in used if not key.startswith(official.prefix)]
    convert = sys.modules[type(encoder.model).__module__].checkpoint_filter_fn
    converted = {} if foreign else convert(dict(used), encoder.model, **official.options)
    taken = {id(value) for value in converted.values()}
    lost = foreign or [key for key, value in used.items() if id(value) not in taken]
    if lost:
        raise WeightsError(
            f"{source}: not the official checkpoint {official.filename} of {encoder.spec.architecture}: "
            f"unknown, or of another size: {', '.join(sorted(lost)[:4])} ({len(lost)} in all); "
            f"get it from {official.source}"
        )
    return converted


def _check_zero(tensors: dict[str, Tensor], official: OfficialWeights, source: str) -> None:
    for key, value in tensors.items():
        if not matches(key, official.zero_biases):
            continue
        query, _, values = value.chunk(3)
        if query.any() or values.any():
            raise WeightsError(
                f"{source}: {key} is not zero, but the model has no such bias; "
                f"this is not {official.filename}"
            )
