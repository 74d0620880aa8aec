"""Killed at any moment, the same command finishes the work, to the same results."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from working_copy import Workflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def kill_when(workflow: Workflow, ready: Callable[[Path], bool], number: signal.Signals) -> None:
    """Starts the workflow and sends it and its jobs a signal once ``ready`` holds.

    SIGKILL is what a power cut does, SIGTERM what a cluster sends before it takes a machine away.
    """
    process = subprocess.Popen(
        workflow.command("all"),
        **workflow.options(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 900
    while not holds(ready, workflow.results):
        assert process.poll() is None, "the workflow ended before it could be killed"
        assert time.monotonic() < deadline, "the moment to kill never came"
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    assert process.wait() != 0


def holds(ready: Callable[[Path], bool], results: Path) -> bool:
    """Whether it is time, as far as one can see among files that are being renamed."""
    with contextlib.suppress(FileNotFoundError):
        return ready(results)
    return False


def finish(workflow: Workflow) -> None:
    """Removes the lock that a killed Snakemake leaves, and runs the same command to its end."""
    assert workflow.snakemake("--unlock", "all").returncode == 0
    done = workflow.snakemake("all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def extracting(results: Path) -> bool:
    """The first image is written; a store already in its place counts, so the moment cannot be missed."""
    journals = results.glob("state/features/*/*/store.zarr/journal.jsonl")
    written = any(journal.read_text().splitlines() for journal in journals)
    return written or any(results.glob("features/*/*.zarr.manifest.json"))


def training(results: Path) -> bool:
    """The first checkpoint is written; checkpoints stay, so the moment cannot be missed."""
    return any(results.glob("state/runs/*/seed0/*.ckpt"))


@pytest.mark.parametrize(
    ("moment", "number"),
    [(extracting, signal.SIGKILL), (training, signal.SIGKILL), (training, signal.SIGTERM)],
)
def test_a_killed_run_is_finished_by_the_same_command(
    fresh: Workflow, finished: Workflow, moment: Callable[[Path], bool], number: signal.Signals
) -> None:
    kill_when(fresh, moment, number)
    finish(fresh)
    assert_same_results(fresh.results, finished.results)


def test_a_second_run_from_scratch_is_identical(fresh: Workflow, finished: Workflow) -> None:
    done = fresh.snakemake("all")
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same_results(fresh.results, finished.results)
    assert str(fresh.folder) not in "".join(
        path.read_text() for path in fresh.results.rglob("*.json") if "tensorboard" not in path.parts
    )


def assert_same_results(found: Path, expected: Path) -> None:
    """Compares stores digest by digest, weights bit by bit, and tables byte by byte."""
    names = [path.relative_to(expected) for path in expected.glob("features/*/*.manifest.json")]
    names += [path.relative_to(expected) for path in expected.glob("features/*/finetuned/*.manifest.json")]
    names += [path.relative_to(expected) for path in expected.glob("runs/*/*/evaluation.json")]
    names += [path.relative_to(expected) for path in expected.glob("selection/*/*.json")]
    assert len(names) == 3 + 3 + 4 + 2
    for name in names:
        assert json.loads((found / name).read_text()) == json.loads((expected / name).read_text()), name
    for path in expected.glob("runs/*/*/model.safetensors"):
        ours = load_file(found / path.relative_to(expected))
        theirs = load_file(path)
        assert ours.keys() == theirs.keys()
        assert all((ours[key] == theirs[key]).all() for key in theirs), path
    for path in expected.glob("tables/*"):
        if path.stem not in ("runtime", "cost"):
            assert (found / path.relative_to(expected)).read_bytes() == path.read_bytes(), path.name
