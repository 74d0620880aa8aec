"""One of several processes that write a data set: ``python -m`` this module with a job as JSON on stdin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2

import vfm_fusion
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.miniscapes.write import plan, write_image
from vfm_fusion.errors import DatasetLayoutError


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
