"""Is it a whole weight file? Told from its first and last bytes, without reading the tensors."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from vfm_fusion.errors import WeightsError

_LENGTH_BYTES = 8
_LEGACY_TORCH = b"\x80\x02"
"""How archives of ``torch.save`` before version 1.6 start; newer ones are zip files."""


def check_archive(path: Path) -> None:
    """Checks that ``path`` is a whole safetensors file (by its suffix) or looks like a whole torch archive.

    Raises:
        WeightsError: the file is truncated, or is something else (an error page, an empty download).
    """
    problem = _safetensors_problem(path) if path.suffix == ".safetensors" else _torch_problem(path)
    if problem is not None:
        with path.open("rb") as file:
            start = file.read(16)
        raise WeightsError(
            f"{path}: not a readable weight file: {problem} "
            f"({path.stat().st_size} bytes, starts with {start!r}); "
            "expected safetensors or a torch archive of tensors; get it again"
        )


def _safetensors_problem(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
            return "its header is longer than the file"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, AttributeError, LookupError):
            return "its header is no safetensors header"
    expected = _LENGTH_BYTES + length + max(ends, default=0)
    return None if size == expected else f"its header announces {expected} bytes"


def _torch_problem(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_TORCH))
    whole = zipfile.is_zipfile(path) if start == b"PK" else start == _LEGACY_TORCH
    return None if whole else "truncated, or no torch archive"
