"""Reading weight files safely, bringing official key names to timm's, and fitting tensors to an encoder."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import OfficialWeights
from vfm_fusion.encoders.weight_files import check_archive
from vfm_fusion.errors import WeightsError

_WRAPPERS = ("state_dict", "model", "module")
_MASTER = "master."


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads a state dict from a safetensors file or a torch archive; no code in the file is ever run.

    Returns:
        Key -> tensor, unwrapped from ``state_dict`` and without a leading ``module.``.

    Raises:
        WeightsError: the file is truncated, holds something else than tensors, or is no weight file at all.
    """
    check_archive(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the two readers raise a dozen types on damaged or foreign files
        raise WeightsError(
            f"{path}: not a readable weight file ({path.stat().st_size} bytes, {type(error).__name__}); "
            "expected tensors only, in safetensors or a torch archive; get it again"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(data, dict) and isinstance(data.get(wrapper), dict):
            data = data[wrapper]
    tensors = (
        {key: value for key, value in data.items() if isinstance(value, Tensor)}
        if isinstance(data, dict)
        else {}
    )
    if not tensors:
        raise WeightsError(f"{path}: holds no tensors; expected a state dict")
    return {key.removeprefix("module."): value for key, value in tensors.items()}


def master_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the master's tensors of a run's model; projection, fusion and head are left out."""
    return {key.removeprefix(_MASTER): value for key, value in tensors.items() if key.startswith(_MASTER)}


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
    used = {key: value for key, value in tensors.items() if not _matches(key, skipped)}
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
        if not _matches(key, official.zero_biases):
            continue
        query, _, values = value.chunk(3)
        if query.any() or values.any():
            raise WeightsError(
                f"{source}: {key} is not zero, but the model has no such bias; "
                f"this is not {official.filename}"
            )


def load_into(encoder: Encoder, tensors: dict[str, Tensor], source: str) -> None:
    """Loads ``tensors`` into an encoder, every parameter and buffer of it.

    Args:
        encoder: the encoder; its inner model's names, with or without the ``model.`` prefix, are matched.
        tensors: key -> tensor; keys that match ``encoder.spec.unused`` are ignored.
        source: what the message calls the weights.

    Raises:
        WeightsError: missing keys, unknown keys, wrong shapes or non-finite values, by name.
    """
    own = encoder.state_dict()
    prefix = "model." if any(key.startswith("model.") for key in own) else ""
    offered = {
        key if key.startswith(prefix) else prefix + key: value
        for key, value in tensors.items()
        if not _matches(key.removeprefix("features."), encoder.spec.unused)
    }
    offered = {_strip_features(key, own): value for key, value in offered.items()}
    missing = sorted(key for key in own if key not in offered and not key.endswith("num_batches_tracked"))
    unknown = sorted(key for key in offered if key not in own)
    wrong = [
        f"{key}: {tuple(value.shape)} instead of {tuple(own[key].shape)}"
        for key, value in offered.items()
        if key in own and value.shape != own[key].shape
    ]
    if missing or unknown or wrong:
        raise WeightsError(
            f"{source} do not fit {encoder.spec.architecture}: missing {_some(missing)}; "
            f"unknown {_some(unknown)}; wrong shape {_some(wrong)}"
        )
    broken = sorted(key for key, value in offered.items() if not torch.isfinite(value).all())
    if broken:
        raise WeightsError(f"{source}: NaN or infinity in {_some(broken)}; get the file again")
    encoder.load_state_dict(offered, strict=False)


def _strip_features(key: str, own: dict[str, Tensor]) -> str:
    return key if key in own else key.replace("features.", "", 1)


def _some(names: list[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    """Whether a checkpoint's key matches one of the patterns."""
    return any(fnmatchcase(key, pattern) for pattern in patterns)
