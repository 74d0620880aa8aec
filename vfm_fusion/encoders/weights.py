"""Reading weight files safely, bringing official key names to timm's, and fitting tensors to an encoder."""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import OfficialWeights
from vfm_fusion.encoders.weight_files import check_archive
from vfm_fusion.errors import WeightsError

_WRAPPERS = ("state_dict", "model", "module")
_MASTER = "master."
_TORCHSCRIPT = "TorchScript"


def read_tensors(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Reads a state dict from a safetensors file or a torch archive; no code in the file is ever run.

    Args:
        path: the file.
        key: where in it the encoder is: names of entries, then the start of its keys, joined by dots
            (``teacher``, ``state_dict.model.backbone``). None for the whole file, or for its ``state_dict``,
            ``model`` or ``module``.

    Returns:
        Key -> tensor, without what ``key`` names and without a leading ``module.``.

    Raises:
        WeightsError: the file is truncated, holds other objects than tensors, is no weight file at all, or
            has no tensors at ``key``; says which objects or entries it holds.
    """
    data = _read(path)
    found = _unwrap(data)
    if key is not None:
        found = (_at(data, key) if isinstance(data, dict) else {}) or _at(found, key)
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        where = "" if key is None else f" at key {key!r}"
        raise WeightsError(
            f"{path}: holds no tensors{where}; expected a state dict, {_content(found or data)}"
        )
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def _read(path: Path) -> Any:
    check_archive(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the two readers raise a dozen types on damaged or foreign files
        objects = _foreign_objects(path, error)
        if objects:
            raise WeightsError(_how_to_save(path, objects)) from error
        raise WeightsError(
            f"{path}: not a readable weight file ({path.stat().st_size} bytes, {type(error).__name__}); "
            "expected tensors only, in safetensors or a torch archive; get it again, or convert it"
        ) from error


def _foreign_objects(path: Path, error: Exception) -> list[str]:
    """Names the classes and functions that ``torch.load`` refuses; of a legacy file, the first."""
    if "TorchScript" in str(error):
        return [_TORCHSCRIPT]
    refused = re.findall(r"[Uu]nsupported (?:global: )?GLOBAL (\S+)", str(error))
    return sorted(get_unsafe_globals_in_checkpoint(path)) if refused and is_zipfile(path) else refused


def _how_to_save(path: Path, objects: list[str]) -> str:
    load, found, part = f"torch.load({path.name!r}, weights_only=False)", "other objects", "['state_dict']"
    note = ", with the name of the entry that holds its tensors in place of state_dict"
    if _TORCHSCRIPT in objects:
        load, found, part, note = f"torch.jit.load({path.name!r})", "a compiled model", ".state_dict()", ""
    elif any(name.startswith("torch.nn.modules.") for name in objects):
        found, part, note = "a pickled model", ".state_dict()", ""
    return (
        f"{path}: expected tensors only, found {found} ({_some(objects)}), which can run code and is never "
        "loaded. If you trust the file, save its state_dict where its classes can be imported: "
        f"torch.save({load}{part}, 'weights.pt'){note}"
    )


def _unwrap(data: Any) -> dict[str, Any]:
    for wrapper in _WRAPPERS:
        if isinstance(data, dict) and isinstance(data.get(wrapper), dict):
            data = data[wrapper]
    return data if isinstance(data, dict) else {}


def _at(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Returns the entries at a dotted path: through nested dicts first, then by the start of their keys."""
    name, _, rest = key.partition(".")
    inner = data.get(name)
    if isinstance(inner, dict):
        return _at(inner, rest) if rest else inner
    start = f"{key}."
    entries = {str(entry).removeprefix("module."): value for entry, value in data.items()}
    return {entry.removeprefix(start): value for entry, value in entries.items() if entry.startswith(start)}


def _content(data: Any) -> str:
    if not isinstance(data, dict):
        return f"found {type(data).__name__}"
    parts = [
        str(name)
        for name, value in data.items()
        if isinstance(value, dict) and any(isinstance(item, Tensor) for item in value.values())
    ]
    take = f"; say which to take: key: {' or '.join(parts)}" if parts else ""
    return f"found {_some([f'{name} ({_described(value)})' for name, value in data.items()])}{take}"


def _described(value: Any) -> str:
    return f"{len(value)} entries" if isinstance(value, dict) else type(value).__name__


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
    if official.positions_with_class:
        used = _without_class_position(used, source)
    foreign = [key for key in used if not key.startswith(official.prefix)]
    convert = sys.modules[type(encoder.model).__module__].checkpoint_filter_fn
    converted = {} if foreign else convert(dict(used), encoder.model, **official.options)
    taken = {_place(value) for value in converted.values()}
    lost = foreign or [key for key, value in used.items() if _place(value) not in taken]
    if lost:
        raise WeightsError(
            f"{source}: not the official checkpoint {official.filename} of {encoder.spec.architecture}: "
            f"unknown, or of another size: {', '.join(sorted(lost)[:4])} ({len(lost)} in all); "
            f"get it from {official.source}"
        )
    return converted


def _place(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor's values lie: the same for one that is only shaped anew."""
    return tensor.data_ptr(), tensor.numel()


def _without_class_position(tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Adds the class token's place of a position embedding to the token, as timm's models expect it."""
    found = dict(tensors)
    positions, token = found.get("pos_embed"), found.get("cls_token")
    if positions is None or token is None or positions[:, :1].shape != token.shape:
        shapes = [None if tensor is None else tuple(tensor.shape) for tensor in (positions, token)]
        raise WeightsError(
            f"{source}: expected pos_embed (1, 1 + N, C) and cls_token (1, 1, C), "
            f"found {shapes[0] or 'none'} and {shapes[1] or 'none'}"
        )
    found["cls_token"], found["pos_embed"] = token + positions[:, :1], positions[:, 1:]
    if "register_tokens" in found:
        found["reg_token"] = found.pop("register_tokens")
    return found


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
        tensors: key -> tensor; keys that match ``encoder.spec.unused`` are ignored and not needed.
        source: what the message calls the weights.

    Raises:
        WeightsError: missing keys, unknown keys, wrong shapes or non-finite values, by name.
    """
    own, spec = encoder.state_dict(), encoder.spec
    prefix = "model." if any(key.startswith("model.") for key in own) else ""
    offered = {
        key if key.startswith(prefix) else prefix + key: value
        for key, value in tensors.items()
        if not (_matches(key, spec.unused) or _matches(key.removeprefix("features."), spec.unused))
    }
    offered = {_strip_features(key, own): value for key, value in offered.items()}
    free = ("*num_batches_tracked", *spec.unused)
    missing = sorted(k for k in own if k not in offered and not _matches(k.removeprefix(prefix), free))
    unknown = sorted(key for key in offered if key not in own)
    wrong = [
        f"{key}: {tuple(value.shape)} instead of {tuple(own[key].shape)}"
        for key, value in offered.items()
        if key in own and value.shape != own[key].shape
    ]
    if missing or unknown or wrong:
        raise WeightsError(
            f"{source} do not fit {spec.architecture}: missing {_some(missing)}; "
            f"unknown {_some(unknown)}; wrong shape {_some(wrong)}" + _foreign_start(missing, unknown, prefix)
        )
    broken = sorted(key for key, value in offered.items() if not torch.isfinite(value).all())
    if broken:
        raise WeightsError(f"{source}: NaN or infinity in {_some(broken)}; get the file again")
    encoder.load_state_dict(offered, strict=False)


def _foreign_start(missing: list[str], unknown: list[str], prefix: str) -> str:
    """What to do where every key of the encoder is there, after a start such as ``backbone.``."""
    first = missing[0].removeprefix(prefix) if missing else "?"
    starts = {key.removeprefix(prefix)[: -len(first)] for key in unknown if key.endswith(f".{first}")}
    wanted = [key.removeprefix(prefix) for key in missing]
    whole = sorted(start[:-1] for start in starts if {prefix + start + key for key in wanted} <= {*unknown})
    return (
        f"; the encoder is there below another name: give weights.key: {' or '.join(whole)}" if whole else ""
    )


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
