"""A training job as plain data, which one process or several can take up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from vfm_fusion.atomic import write_text
from vfm_fusion.config.base import Section
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.segmentation.training import train_run
from vfm_fusion.training.launch import joined, launch
from vfm_fusion.training.processes import Processes, check_devices, single_process

JOB_FILE = "job.json"


class TrainingJob(BaseModel):
    """Everything that :func:`~vfm_fusion.segmentation.training.train_run` needs.

    Attributes:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name.
        strides: injection strides.
        training: the recipe.
        seed: seed of initial weights, sampling and augmentation.
        dataset: settings of the data set.
        index: index of the images to train on (Parquet).
        generated: folder of the data set if it is a generated one.
        out_dir: folder of the results.
        state_dir: folder of the checkpoints.
        token: identifies the job's settings.
    """

    model_config = Section.model_config

    run: RunConfig
    encoders: dict[str, EncoderConfig]
    strides: tuple[int, ...]
    training: TrainingConfig
    seed: int
    dataset: dict[str, Any]
    index: str
    generated: str
    out_dir: str
    state_dir: str
    token: str


def run_job(job: TrainingJob, threads: int) -> None:
    """Trains in this process, or in as many as ``training.devices`` says.

    Args:
        job: the job.
        threads: threads that it may use.

    Raises:
        TrainingError: there are too few GPUs, or see :func:`~vfm_fusion.segmentation.training.train_run`.
    """
    check_devices(job.training.devices)
    if job.training.devices == 1:
        _train(job, single_process())
        return
    path = Path(job.state_dir) / JOB_FILE
    write_text(path, job.model_dump_json(indent=2))
    launch(__name__, [str(path)], job.training.devices, threads)


def main() -> None:
    """Takes up the job of the file on the command line, as one of several processes."""
    with joined() as processes:
        job = TrainingJob.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
        _train(job, processes)


def _train(job: TrainingJob, processes: Processes) -> None:
    train_run(
        run=job.run,
        encoders=job.encoders,
        strides=job.strides,
        training=job.training,
        seed=job.seed,
        dataset=open_indexed(job.dataset, Path(job.index), Path(job.generated)),
        out_dir=Path(job.out_dir),
        state_dir=Path(job.state_dir),
        token=job.token,
        processes=processes,
    )


if __name__ == "__main__":
    main()
