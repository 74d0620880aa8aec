"""Starting the processes that share the images of a step, and ending with them.

``torchrun`` would start them too. It takes a second signal for another failure, gives processes a fixed time
to end after one, and leaves them behind when it is killed; a run that saves what it has needs the opposite.

``torch.multiprocessing.start_processes`` would take less code, but not here. A spawned process runs the main
script again, and a workflow script is all main script; a forked one cannot use a GPU that its parent has
looked at. It passes no signal on. When one process has failed it sends SIGTERM to the others, which is what
tells ours to save and to stop. What the processes write goes past the log.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import torch
from torch import distributed

from vfm_fusion import errors
from vfm_fusion.errors import TrainingError, VfmFusionError
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.signals import passed_on
from vfm_fusion.workflow.progress import TERMINAL

log = logging.getLogger(__name__)

GRACE_SECONDS = 20.0
"""Time that the other processes have to end after one has failed."""

_HOST = "127.0.0.1"
_ENVIRONMENT = "VFM_FUSION_PROCESS"
_FORMAT = "%(levelname)s %(name)s: %(message)s"
"""Of the lines by which a process tells the one that started it what to log or to show."""


def launch(module: str, arguments: Sequence[str], processes: int, threads: int) -> None:
    """Runs ``python -m module *arguments`` in several processes that share a step, and waits for all.

    What they write becomes lines of this process's log. Signals that ask to stop are passed on. When one
    fails, the others are ended.

    Args:
        module: its ``main`` works in :func:`joined`.
        arguments: command line.
        processes: how many.
        threads: threads that they may use together.

    Raises:
        VfmFusionError: the error that one of them raised, or a TrainingError that says how it ended.
    """
    store = distributed.TCPStore(_HOST, 0, is_master=True, wait_for_workers=False)
    command = [sys.executable, "-m", module, *arguments]
    children: list[subprocess.Popen[str]] = []
    try:
        with passed_on(children):
            for rank in range(processes):
                place = {"rank": rank, "count": processes, "port": store.port, "parent": os.getpid()}
                children.append(_start(command, place, max(1, threads // processes)))
            readers = [Thread(target=_relay, args=(rank, child)) for rank, child in enumerate(children)]
            for reader in readers:
                reader.start()
            _wait(children)
            for reader in readers:
                reader.join()
    finally:
        for child in children:
            child.kill()
    if any(child.returncode for child in children):
        raise _failure(store, children)


@contextmanager
def joined() -> Iterator[Processes]:
    """Makes this process, which :func:`launch` started, one of those that share a step.

    An error inside the block is told to the process that launched this one, and ends this one with status 1.
    """
    place = json.loads(os.environ[_ENVIRONMENT])
    rank, count = place["rank"], place["count"]
    _log_to_parent(rank)
    store = distributed.TCPStore(_HOST, place["port"], is_master=False)
    on_gpu = torch.cuda.is_available()
    device = torch.device(f"cuda:{rank}" if on_gpu else "cpu")
    try:
        if on_gpu:
            torch.cuda.set_device(device)
        distributed.init_process_group(
            # gradients are exchanged where they are, counts on the CPU
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=distributed.PrefixStore("group", store),
            rank=rank,
            world_size=count,
        )
        yield Processes(rank, count, device, place["parent"])
        distributed.destroy_process_group()
    except BaseException as error:
        log.exception("process %d of %d failed", rank + 1, count)
        if isinstance(error, KeyboardInterrupt):  # during training, it is waited for
            error = TrainingError("stopped by SIGINT before the first step; the same command starts again")
        told = {"type": type(error).__name__, "message": str(error), "time": time.time()}
        store.set(f"error {rank}", json.dumps(told))
        raise SystemExit(1) from None


def _start(command: list[str], place: dict[str, int], threads: int) -> subprocess.Popen[str]:
    package = str(Path(errors.__file__).parents[1])
    seen = os.environ.get("PYTHONPATH")
    return subprocess.Popen(
        command,
        env={
            **os.environ,
            _ENVIRONMENT: json.dumps(place),
            "LOCAL_RANK": str(place["rank"]),  # tells Lightning that it is not to start processes
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": package if not seen else f"{package}{os.pathsep}{seen}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def _relay(rank: int, child: subprocess.Popen[str]) -> None:
    shown = _FORMAT % {"levelname": "INFO", "name": TERMINAL.name, "message": ""}
    for line in child.stdout:
        said = line.rstrip("\n")
        if said.startswith(shown):
            TERMINAL.info(said.removeprefix(shown))
        else:
            log.info("[%d] %s", rank, said)


def _log_to_parent(rank: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, handlers=[handler])
    if rank == 0:
        TERMINAL.addHandler(handler)
    logging.captureWarnings(True)


def _wait(children: list[subprocess.Popen[str]]) -> None:
    """Waits until all have ended; when one has failed, no longer than the time of grace."""
    deadline = float("inf")
    while any(child.poll() is None for child in children):
        if deadline == float("inf") and any(child.returncode for child in children):
            deadline = time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            for child in children:
                child.kill()
        time.sleep(0.05)


def _failure(store: distributed.TCPStore, children: list[subprocess.Popen[str]]) -> VfmFusionError:
    """What to raise: the first error that the project raised on purpose, else the first of any kind."""
    ranks = [rank for rank in range(len(children)) if store.check([f"error {rank}"])]
    told = sorted(
        ((rank, json.loads(store.get(f"error {rank}"))) for rank in ranks), key=lambda pair: pair[1]["time"]
    )
    for _, error in told:
        kind = getattr(errors, error["type"], None)
        if kind is not None:
            return kind(error["message"])
    for rank, child in enumerate(children):
        if child.returncode < 0 and rank not in ranks:
            name = signal.Signals(-child.returncode).name
            return TrainingError(
                f"process {rank + 1} of {len(children)} was ended by {name}; where that is SIGKILL, the "
                "machine may have run out of memory. The same command resumes"
            )
    rank, error = told[0] if told else (0, {"type": "exit status", "message": children[0].returncode})
    return TrainingError(
        f"process {rank + 1} of {len(children)} failed: {error['type']}: {error['message']} (its traceback "
        "is in the log)"
    )
