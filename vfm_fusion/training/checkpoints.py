"""Checkpoints of a training run: written whole, verified on reading, the last two kept."""

from __future__ import annotations

import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vfm_fusion.atomic import file_sha256
from vfm_fusion.errors import TrainingError

log = logging.getLogger(__name__)

_KEPT = 2
_NAME = re.compile(r"step-(\d+)-([0-9a-f]{16})\.ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file that has been verified.

    Attributes:
        path: the file.
        step: optimiser steps it has seen.
    """

    path: Path
    step: int


def stored_checkpoints(folder: Path) -> list[Checkpoint]:
    """Returns the checkpoint files in ``folder``, newest step first, unverified."""
    found = [
        Checkpoint(path, int(match[1]))
        for path in folder.glob("*.ckpt")
        if (match := _NAME.fullmatch(path.name))
    ]
    return sorted(found, key=lambda checkpoint: checkpoint.step, reverse=True)


def newest_valid(folder: Path, token: str) -> Checkpoint | None:
    """Finds where to resume: the newest undamaged checkpoint of this very job.

    A damaged file is passed over with a warning. Checkpoints of other settings (another token) are removed,
    with a line in the log, because they would never be read again.

    Args:
        folder: the job's state folder.
        token: identifies the job's settings.
    """
    for checkpoint in stored_checkpoints(folder):
        try:
            found = _verify(checkpoint.path)
        except Exception as error:  # a damaged archive raises a dozen types
            log.warning("%s is damaged (%s); trying the one before it", checkpoint.path, error)
            continue
        if found == token:
            return checkpoint
        log.warning(
            "%s belongs to other settings (token %s, now %s); training starts anew",
            checkpoint.path,
            found,
            token,
        )
        for stale in stored_checkpoints(folder):
            stale.path.unlink()
        return None
    return None


def load_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the state that was saved, with all tensors on the CPU."""
    return torch.load(checkpoint.path, map_location="cpu", weights_only=True)


def save_checkpoint(folder: Path, token: str, step: int, state: dict[str, Any]) -> None:
    """Writes a checkpoint and drops all but the last two.

    The first 16 digits of the file's SHA-256 are part of its name, so that one rename publishes content and
    checksum together.

    Args:
        folder: the job's state folder.
        token: identifies the job's settings.
        step: optimiser steps that the state has seen.
        state: plain data and tensors.

    Raises:
        TrainingError: the file cannot be written; those before it stay as they are.
    """
    temporary = folder / ".checkpoint.tmp"
    try:
        with temporary.open("wb") as file:
            torch.save({**state, "token": token}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / f"step-{step:08d}-{_digest(temporary)}.ckpt")
    except (OSError, RuntimeError) as error:  # torch turns some errors of the file into a RuntimeError
        raise TrainingError(
            f"{folder}: cannot write the checkpoint of step {step} ({_reason(error)}); it takes about "
            f"{_megabytes(state)} MB, {shutil.disk_usage(folder).free / 1e6:.0f} MB are free. Checkpoints "
            "before it are intact: make room and give the same command"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    for old in stored_checkpoints(folder)[_KEPT:]:
        old.path.unlink()


def _verify(path: Path) -> str:
    expected = _NAME.fullmatch(path.name)[2]
    found = _digest(path)
    if found != expected:
        raise ValueError(f"SHA-256 begins with {found}, its name says {expected}")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["token"]


def _digest(path: Path) -> str:
    return file_sha256(path)[:16]


def _reason(error: BaseException) -> str:
    """The system's own words for what went wrong, which torch hides behind a message of its own."""
    while error is not None:
        if isinstance(error, OSError):
            return error.strerror or str(error)
        last, error = error, error.__context__
    return str(last).splitlines()[0]


def _megabytes(state: Any) -> int:
    if isinstance(state, torch.Tensor):
        return -(-state.nbytes // 1_000_000)
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return sum(_megabytes(part) for part in parts)
