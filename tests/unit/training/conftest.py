"""Jobs of the toy task."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_task import ToyJob

from vfm_fusion.training import launch

HERE = Path(__file__).parent


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ToyJob]:
    """Builds a job under ``tmp_path/<folder>``; the processes that it starts find this folder's modules."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))

    def build(folder: str, **settings: object) -> ToyJob:
        places = {"out_dir": str(tmp_path / folder / "out"), "state_dir": str(tmp_path / folder / "state")}
        return ToyJob(**{"token": "t"} | places | settings)

    return build


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """The processes that are started."""
    started, start = [], launch._start

    def spy(*arguments) -> subprocess.Popen:
        started.append(start(*arguments))
        return started[-1]

    monkeypatch.setattr(launch, "_start", spy)
    return started
