"""Working copies: one in which nothing has run, one in which the small experiment is finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from working_copy import Workflow, copy_repository


@pytest.fixture
def fresh(tmp_path: Path, repository: Path) -> Workflow:
    """A copy of the repository where nothing has run, in a folder with a space and an umlaut."""
    folder = tmp_path / "a büro"
    copy_repository(repository, folder)
    return Workflow(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Workflow:
    """A copy where the small experiment has run to its end; tests undo what they change."""
    workflow = Workflow(tmp_path_factory.mktemp("finished"))
    copy_repository(repository, workflow.folder)
    done = workflow.snakemake("all")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return workflow
