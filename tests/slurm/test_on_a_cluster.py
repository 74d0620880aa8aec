"""The literal command on a real cluster: the same results as on one machine, and then nothing to be done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from on_cluster import OnCluster
from safetensors.numpy import load_file
from slurm_cluster import Cluster
from working_copy import Workflow, copy_repository

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow("the whole small experiment, through the queue"),
    pytest.mark.timeout(1800),
]

DIGESTED = (
    "features/**/*.manifest.json",
    "runs/*/*/*/evaluation.json",
    "selection/*/*.json",
    "datasets/*/*.json",
)
TIMED = {"runtime", "cost"}
JOBS = 30
"""Submissions that the 60 jobs of the experiment may take."""


@pytest.fixture(scope="module")
def on_cluster(cluster: Cluster, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> OnCluster:
    """A copy where the small experiment has run on the cluster."""
    workflow = OnCluster(tmp_path_factory.mktemp("on_cluster"), variables=cluster.environment)
    copy_repository(repository, workflow.folder)
    done = workflow.snakemake("all")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return workflow


def test_results_are_those_of_one_machine(on_cluster: OnCluster, finished: Workflow) -> None:
    ours, theirs = on_cluster.results, finished.results
    names = sorted(path.relative_to(theirs) for pattern in DIGESTED for path in theirs.glob(pattern))
    assert len(names) == 3 + (4 + 6) + 4 + 2  # features: own, fine-tuned, of views
    for name in names:
        assert json.loads((ours / name).read_text()) == json.loads((theirs / name).read_text()), name
    for path in theirs.glob("runs/*/*/model.safetensors"):
        found, expected = load_file(ours / path.relative_to(theirs)), load_file(path)
        assert all((found[key] == expected[key]).all() for key in found.keys() | expected.keys()), path
    tables = [path for path in theirs.glob("tables/*") if path.stem not in TIMED]
    assert len(tables) > 30
    for path in tables:
        assert (ours / path.relative_to(theirs)).read_bytes() == path.read_bytes(), path.name
    assert (ours / "report.html").stat().st_size > 100_000


def test_a_second_call_has_nothing_to_do(on_cluster: OnCluster) -> None:
    planned = on_cluster.snakemake("-n", "all")
    assert "Nothing to be done" in planned.stdout + planned.stderr


def test_short_jobs_share_submissions(on_cluster: OnCluster, cluster: Cluster) -> None:
    calls = [call for call in cluster.submitted if f"-D {on_cluster.folder} " in call]
    comments = [re.search(r"--comment (\S+)", call).group(1) for call in calls]
    assert len(comments) <= JOBS
    assert sum(comment.startswith("rule_train") for comment in comments) == 4
    assert sum(comment.startswith("rule_measure_cost") for comment in comments) == 1
