"""Submissions that fail and jobs that end without their output are noticed, and tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_cluster import OnCluster
from slurm_cluster import Cluster
from working_copy import copy_repository

pytestmark = pytest.mark.slurm

ONE = "results/quick/datasets/miniscapes/categories.json"


@pytest.fixture
def fresh(cluster: Cluster, tmp_path: Path, repository: Path) -> OnCluster:
    """A copy where nothing has run, in a folder with spaces, quotes and an umlaut."""
    workflow = OnCluster(tmp_path / 'a büro "two"', variables=cluster.environment)
    copy_repository(repository, workflow.folder)
    return workflow


def test_a_submission_that_fails_once_and_a_job_without_its_output_are_tried_again(
    fresh: OnCluster, cluster: Cluster
) -> None:
    calls = len(cluster.submitted)
    cluster.fail_submissions(1)
    cluster.hollow_jobs(1)
    done = fresh.snakemake("--latency-wait", "3", ONE)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-5000:]
    assert len(cluster.submitted) == calls + 3
    assert "MissingOutputException" in output
    assert output.count("Trying to restart") == 2
    assert (fresh.folder / ONE).exists()
