"""A cluster, and working copies of the repository in which the workflow is called on it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "workflow"))

from slurm_cluster import Cluster, lacking
from working_copy import Workflow, copy_repository


@dataclass
class OnCluster(Workflow):
    """A working copy whose workflow is called as on a cluster.

    Attributes:
        options_after: further options, for polls that are as quick as the jobs of tests.
        variables: environment of the calls.
    """

    profile: tuple[str, ...] = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2")
    variables: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        command = super().command(*arguments)
        at = command.index("--cores")
        command[at : at + 2] = self.profile
        return command

    def options(self, environment: dict[str, str] | None = None) -> dict:
        return super().options({**self.variables, **(environment or {})})


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
    done = Workflow(folder).snakemake("select")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    done = Workflow(folder).snakemake("datasets")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder
