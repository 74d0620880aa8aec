"""Killed at any moment, the same command finishes the work, to the results of another run from scratch."""

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

pytestmark = [pytest.mark.slow("the whole small experiment, killed four times"), pytest.mark.timeout(1800)]


def kill_when(workflow: Workflow, traces: Callable[[Path], set[Path]], number: signal.Signals) -> None:
    """Starts the workflow and sends it and its jobs a signal once it leaves a new one of ``traces``.

    SIGKILL is what a power cut does, SIGTERM what a cluster sends before it takes a machine away, and SIGINT
    what a terminal sends on Ctrl-C.
    """
    before = found(traces, workflow.results)
    process = subprocess.Popen(
        workflow.command("all"),
        **workflow.options(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 900
    while found(traces, workflow.results) <= before:
        assert process.poll() is None, "the workflow ended before it could be killed"
        assert time.monotonic() < deadline, "the moment to kill never came"
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    assert process.wait() != 0
    assert workflow.snakemake("--unlock", "all").returncode == 0


def found(traces: Callable[[Path], set[Path]], results: Path) -> set[Path]:
    """The traces there are, as far as one can see among files that are being renamed."""
    with contextlib.suppress(FileNotFoundError):
        return traces(results)
    return set()


def extracting(results: Path) -> set[Path]:
    """Stores whose first image is written, and finished ones."""
    journals = results.glob("state/features/*/*/store.zarr/journal.jsonl")
    written = {journal for journal in journals if journal.read_text().splitlines()}
    return written | set(results.glob("features/*/*.zarr.manifest.json"))


def training(results: Path) -> set[Path]:
    """Checkpoints."""
    return set(results.glob("state/runs/*/seed0/*.ckpt"))


def test_a_run_killed_again_and_again_is_finished_by_the_same_command(
    fresh: Workflow, finished: Workflow
) -> None:
    kill_when(fresh, extracting, signal.SIGKILL)
    kill_when(fresh, training, signal.SIGKILL)
    kill_when(fresh, training, signal.SIGTERM)
    kill_when(fresh, training, signal.SIGINT)
    done = fresh.snakemake("all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert_same_results(fresh.results, finished.results)
    assert str(fresh.folder) not in "".join(
        path.read_text() for path in fresh.results.rglob("*.json") if "tensorboard" not in path.parts
    )


def assert_same_results(results: Path, expected: Path) -> None:
    """Compares stores digest by digest, weights bit by bit, and tables byte by byte."""
    names = [path.relative_to(expected) for path in expected.glob("features/*/*.manifest.json")]
    names += [path.relative_to(expected) for path in expected.glob("features/*/finetuned/*.manifest.json")]
    names += [path.relative_to(expected) for path in expected.glob("runs/*/*/*/evaluation.json")]
    names += [path.relative_to(expected) for path in expected.glob("selection/*/*.json")]
    assert len(names) == 3 + 1 + 4 + 2
    for name in names:
        assert json.loads((results / name).read_text()) == json.loads((expected / name).read_text()), name
    for path in expected.glob("runs/*/*/model.safetensors"):
        ours = load_file(results / path.relative_to(expected))
        theirs = load_file(path)
        assert ours.keys() == theirs.keys()
        assert all((ours[key] == theirs[key]).all() for key in theirs), path
    for path in expected.glob("tables/*"):
        if path.stem not in ("runtime", "cost"):
            assert (results / path.relative_to(expected)).read_bytes() == path.read_bytes(), path.name
