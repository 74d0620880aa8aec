"""The generated data set as a whole: complete or absent, and guarded by a manifest."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.checksums import file_sha256
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.miniscapes.worker import write_with_workers
from vfm_fusion.datasets.miniscapes.write import plan, write_image
from vfm_fusion.errors import DatasetLayoutError


def generate(config: MiniscapesConfig, target: Path, workers: int) -> None:
    """Generates the data set in the official Cityscapes layout.

    The files are written under a temporary name beside ``target``, which is replaced at the end. The same
    settings give the same bytes, whatever ``workers`` is.

    Args:
        config: the data set's settings.
        target: root folder of the layout.
        workers: number of processes.

    Raises:
        DatasetLayoutError: a process failed.
    """
    building = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    try:
        if workers > 1:
            write_with_workers(config, building, workers)
        else:
            for split, number in plan(config):
                write_image(config, building, split, number)
        _replace(target, building)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _replace(target: Path, building: Path) -> None:
    """Puts ``building`` in the place of ``target``; on an error the old one stays."""
    replaced = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(replaced)
    try:
        building.rename(target)
    except OSError:
        if replaced.exists():
            replaced.rename(target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _remove_leftovers(target: Path) -> None:
    """Removes what killed runs have left."""
    for suffix in ("tmp", "old"):
        for folder in target.parent.glob(f".{target.name}.*.{suffix}"):
            shutil.rmtree(folder)


def generate_with_manifest(config: MiniscapesConfig, target: Path, manifest_path: Path, workers: int) -> None:
    """Generates the data set, and writes its manifest last.

    A manifest of an earlier version is removed first, so that it never stands beside other files.

    Raises:
        DatasetLayoutError: a process failed.
    """
    manifest_path.unlink(missing_ok=True)
    generate(config, target, workers)
    write_json(manifest_path, {"config": config.model_dump(), "files": _digests(target)})


def verify_generated(target: Path, manifest_path: Path) -> None:
    """Checks every file of a generated data set against its manifest.

    Raises:
        DatasetLayoutError: the manifest is missing or damaged, or a file is missing, changed or not listed.
    """
    remedy = "Delete the manifest and run the workflow again; the data set is generated anew."
    try:
        expected = json.loads(manifest_path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetLayoutError(f"{manifest_path}: not a manifest ({error!r}). {remedy}") from error
    found = _digests(target)
    for relative in sorted(expected.keys() | found.keys()):
        if relative not in found:
            raise DatasetLayoutError(f"{target / relative}: missing. {remedy}")
        if relative not in expected:
            raise DatasetLayoutError(f"{target / relative}: not in {manifest_path}. {remedy}")
        if found[relative] != expected[relative]:
            raise DatasetLayoutError(f"{target / relative}: differs from {manifest_path}. {remedy}")


def _digests(target: Path) -> dict[str, str]:
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return {path.relative_to(target).as_posix(): file_sha256(path) for path in files}
