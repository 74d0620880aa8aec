"""A cluster, and working copies of the repository in which the workflow is called on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, lacking
from working_copy import Workflow, copy_repository


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster that is up."""
    reason = lacking()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Cluster(Path(folder) / "c") as running:
        yield running


@pytest.fixture(scope="session")
def selected(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A working copy that has everything that training starts from."""
    folder = tmp_path_factory.mktemp("selected")
    copy_repository(repository, folder)
    for target in ("select", "datasets"):
        done = Workflow(folder).snakemake(target)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder
