"""Reading the weights of upsamplers: their authors' files, and our own."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor

from vfm_fusion.encoders.weights import read_tensors
from vfm_fusion.errors import WeightsError
from vfm_fusion.upsampling.upsampler import Upsampler


def load_weights(upsampler: Upsampler, path: Path) -> None:
    """Loads a file into an upsampler, every parameter and buffer of it.

    Args:
        upsampler: a learned one.
        path: a safetensors file or a torch archive: as its authors publish it, or with our own names.

    Raises:
        WeightsError: the file is missing or is none of weights, or does not fit; names the keys.
    """
    released = upsampler.facts.released
    if not path.is_file():
        where = f"; its authors' are at {released.page} ({released.terms})" if released else ""
        raise WeightsError(f"no weights of {upsampler.facts.title} at {path}{where}")
    fit(upsampler, _tensors(path, released.entry if released else None), str(path))


def _tensors(path: Path, entry: str | None) -> dict[str, Tensor]:
    """Reads a file that is a state dict, or has one at ``entry``."""
    try:
        return read_tensors(path)
    except WeightsError:
        if entry is None:
            raise
        return read_tensors(path, entry)


def fit(upsampler: Upsampler, tensors: dict[str, Tensor], source: str) -> None:
    """Loads tensors into an upsampler.

    Args:
        upsampler: a learned one.
        tensors: by its authors' names or by ours.
        source: what the message calls them.

    Raises:
        WeightsError: unknown or missing keys, two for one place, wrong shapes, values that are not finite; it
            lists all of them.
    """
    own = upsampler.state_dict()
    found: dict[str, Tensor] = {}
    unknown, twice = [], []
    for name, tensor in tensors.items():
        if any(fnmatchcase(name, pattern) for pattern in upsampler.skipped()):
            continue
        ours = _own_name(upsampler, name)
        if ours not in own:
            unknown.append(name)
        elif ours in found:
            twice.append(name)
        found[ours] = tensor
    problems = {
        "unknown": unknown,
        "missing": [k for k in own if k not in found and not k.endswith("num_batches_tracked")],
        "twice": twice,
        "of another shape": [
            f"{name} {tuple(tensor.shape)} instead of {tuple(own[name].shape)}"
            for name, tensor in found.items()
            if name in own and tensor.shape != own[name].shape
        ],
        "not finite": [name for name, tensor in found.items() if not torch.isfinite(tensor).all()],
    }
    said = [f"{what}: {', '.join(sorted(names))}" for what, names in problems.items() if names]
    if said:
        raise WeightsError(
            f"{source}: no weights of {upsampler.facts.title} for {upsampler.channels} channels; "
            f"{'; '.join(said)}; give the file of this upsampler and encoder"
        )
    upsampler.load_state_dict(found, strict=False)


def _own_name(upsampler: Upsampler, name: str) -> str:
    """Our name of a tensor; one that is ours already stays as it is."""
    if name in upsampler.state_dict() or upsampler.facts.released is None:
        return name
    for pattern, replacement in upsampler.facts.released.names:
        name = re.sub(pattern, replacement, name)
    return name
