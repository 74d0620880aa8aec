"""A training job as plain data, which one process or several can take up."""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from importlib import import_module
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.config.base import Section
from vfm_fusion.training.launch import joined, launch
from vfm_fusion.training.processes import Processes, check_devices, single_process

JOB_FILE = "job.json"


class Job(Section):
    """Everything that a training needs; a subclass adds the settings of its task.

    Attributes:
        out_dir: folder of the results.
        state_dir: folder of the checkpoints.
        token: identifies the job's settings.
    """

    out_dir: str
    state_dir: str
    token: str

    @abstractmethod
    def train(self, processes: Processes) -> None:
        """Trains as one of several processes, or alone."""


def run_job(job: Job, devices: int, threads: int) -> None:
    """Trains in this process, or in several that share the steps.

    Args:
        job: the job; its class is found again by its name, in a module that can be imported.
        devices: GPUs, or processes on a machine without one.
        threads: threads that it may use.

    Raises:
        TrainingError: there are too few GPUs, or see :func:`~vfm_fusion.training.loop.train`.
    """
    check_devices(devices)
    if devices == 1:
        job.train(single_process())
        return
    path = Path(job.state_dir) / JOB_FILE
    kind = type(job)
    settings = job.model_dump(mode="json")
    told = {"module": kind.__module__, "class": kind.__qualname__, "settings": settings}
    write_text(path, json.dumps(told, indent=2))
    launch(__name__, [str(path)], devices, threads)


def main() -> None:
    """Takes up the job of the file on the command line, as one of several processes."""
    with joined() as processes:
        told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        kind: type[Job] = getattr(import_module(told["module"]), told["class"])
        kind.model_validate_json(json.dumps(told["settings"])).train(processes)


if __name__ == "__main__":
    main()
