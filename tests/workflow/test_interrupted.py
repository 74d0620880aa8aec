"""Killed at any moment, the same command finishes the work, to the results of another run from scratch."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from working_copy import Workflow

pytestmark = [pytest.mark.slow("the whole small experiment, killed four times"), pytest.mark.timeout(1800)]


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
    fresh.kill_when(extracting, signal.SIGKILL)
    fresh.kill_when(training, signal.SIGKILL)
    fresh.kill_when(training, signal.SIGTERM)
    fresh.kill_when(training, signal.SIGINT)
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
