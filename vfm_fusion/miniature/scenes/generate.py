"""The generated data set as a whole: complete or absent, and guarded by a manifest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import vfm_fusion
from vfm_fusion.atomic import file_sha256, write_json
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.cityscapes_labels import IMAGE_SUFFIX, INSTANCE_SUFFIX, LABEL_SUFFIX
from vfm_fusion.errors import DatasetLayoutError
from vfm_fusion.miniature.scenes.render import render

_FRAME = 19  # Cityscapes annotates the 20th frame of each sequence


def plan(config: MiniscapesConfig) -> list[tuple[str, int]]:
    """Lists (split, number) of all images."""
    counts = {"train": config.train, "val": config.val}
    return [(split, number) for split, count in counts.items() for number in range(count)]


def write_image(config: MiniscapesConfig, folder: Path, split: str, number: int) -> None:
    """Renders image ``number`` of a split and writes its three files below ``folder``."""
    rendered = render(config, split, number)
    city = f"mini{split}"
    stem = f"{split}/{city}/{city}_{number:06d}_{_FRAME:06d}"
    _write_png(folder / f"leftImg8bit/{stem}{IMAGE_SUFFIX}", rendered.image)
    _write_png(folder / f"gtFine/{stem}{LABEL_SUFFIX}", rendered.annotation.label_ids)
    _write_png(folder / f"gtFine/{stem}{INSTANCE_SUFFIX}", rendered.annotation.instance_ids)


def _write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG", compress_level=4)


def write_with_workers(config: MiniscapesConfig, folder: Path, workers: int) -> None:
    """Writes all images with several processes; the files do not depend on their number.

    Fresh interpreters rather than forks: a fork inherits thread pools whose threads it lacks.

    Raises:
        DatasetLayoutError: a process failed; the message ends with what it said.
    """
    path = os.pathsep.join(
        filter(None, [str(Path(vfm_fusion.__file__).parents[1]), os.environ.get("PYTHONPATH")])
    )
    processes = []
    for share in range(workers):
        job = {"config": config.model_dump(), "folder": str(folder), "share": share, "of": workers}
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        processes.append((process, json.dumps(job | {"owner": os.getpid()})))
    for process, job_text in processes:
        process.stdin.write(job_text)
        process.stdin.close()
    said = [process.stderr.read() for process, _ in processes]
    codes = [process.wait() for process, _ in processes]
    for code, text in zip(codes, said, strict=True):
        if code != 0:
            raise DatasetLayoutError(
                f"{folder}: writing the generated images failed (a process ended with {code}). Free some "
                f"space or correct what it says, and start again:\n{text[-2000:]}"
            )


def main() -> None:
    """Writes this process's share of the images."""
    job = json.loads(sys.stdin.read())
    config = MiniscapesConfig(**job["config"])
    cv2.setNumThreads(0)
    for split, number in plan(config)[job["share"] :: job["of"]]:
        if os.getppid() != job["owner"]:
            sys.exit("The process that these images are for has ended.")
        write_image(config, Path(job["folder"]), split, number)


if __name__ == "__main__":
    main()


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


def _digests(target: Path) -> dict[str, str]:
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return {path.relative_to(target).as_posix(): file_sha256(path) for path in files}
