"""Checkpoints of a training run: written whole, verified on reading, the last two kept."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vfm_fusion.checksums import file_sha256
from vfm_fusion.compat import ensure_torchvision

ensure_torchvision()

import lightning.pytorch as pl  # noqa: E402  (it imports torchvision)

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


class CheckpointWriter(pl.Callback):
    """Saves the trainer's whole state every N steps and at the last one.

    The first 16 digits of the file's SHA-256 are part of its name, so that one rename publishes content and
    checksum together.
    """

    def __init__(self, folder: Path, token: str, every: int, last_step: int) -> None:
        self.folder = folder
        self.token = token
        self.every = every
        self.last_step = last_step

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Marks the checkpoint as belonging to this job."""
        checkpoint["token"] = self.token

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Saves when a checkpoint is due and drops the oldest."""
        step = trainer.global_step
        if step % self.every == 0 or step == self.last_step:
            self._save(trainer, step)
            for old in stored_checkpoints(self.folder)[_KEPT:]:
                old.path.unlink()

    def _save(self, trainer: pl.Trainer, step: int) -> None:
        temporary = self.folder / ".checkpoint.tmp"
        try:
            trainer.save_checkpoint(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(self.folder / f"step-{step:08d}-{_digest(temporary)}.ckpt")
        finally:
            temporary.unlink(missing_ok=True)


def _verify(path: Path) -> str:
    expected = _NAME.fullmatch(path.name)[2]
    found = _digest(path)
    if found != expected:
        raise ValueError(f"SHA-256 begins with {found}, its name says {expected}")
    return torch.load(path, map_location="cpu", weights_only=True)["token"]


def _digest(path: Path) -> str:
    return file_sha256(path)[:16]
