"""What SLURM's commands say is understood, and what a cluster lacks is named with the remedy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vfm_fusion.errors import ComputeError
from vfm_fusion.workflow import cluster
from vfm_fusion.workflow.cluster import Partition, Request

SINFO = """\
cpu*|up|2-00:00:00|(null)
gpu|up|12:00:00|gpu:a100:4(S:0-1)
gpu|up|12:00:00|gpu:v100:2(S:0),gpu:t4:1,craynetwork:4
debug|up|30:00|gpu:1
old|down|infinite|gpu:8
endless|up|infinite|(null)
"""
PARTITIONS = [
    Partition("cpu", True, 0, 2880),
    Partition("gpu", False, 4, 720),
    Partition("debug", False, 1, 30),
    Partition("endless", False, 0, None),
]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, int], None]:
    """Puts a program that prints what it is told, and exits as it is told, into the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def answer(name: str, text: str, status: int = 0) -> None:
        script = tmp_path / name
        stream = ">&2" if status else ""
        script.write_text(f"#!/bin/sh\ncat {stream} <<'END'\n{text}END\nexit {status}\n")
        script.chmod(0o755)

    return answer


def test_partitions_are_read_as_sinfo_prints_them(commands: Callable) -> None:
    commands("sinfo", SINFO)
    assert cluster.read_partitions() == PARTITIONS


def test_a_silent_controller_is_named(commands: Callable) -> None:
    commands("sinfo", "slurm_load_partitions: Unable to contact slurm controller\n", 1)
    with pytest.raises(ComputeError, match=r"`sinfo .*` failed: .*Unable to contact slurm controller"):
        cluster.read_partitions()


def test_where_slurm_is_not_installed_the_profile_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ComputeError, match="sinfo is not installed: `--profile slurm` works where"):
        cluster.read_partitions()


@pytest.mark.parametrize(("gpus", "found"), [(1, "gpu"), (3, "gpu"), (5, None)])
def test_the_first_partition_with_enough_gpus_on_a_node_is_taken(gpus: int, found: str | None) -> None:
    assert cluster.partition_with_gpus(PARTITIONS, gpus) == found


def test_a_default_partition_with_gpus_is_preferred() -> None:
    partitions = [*PARTITIONS[1:], Partition("all", True, 2, None)]
    assert cluster.partition_with_gpus(partitions, 2) == "all"


@pytest.mark.parametrize(("name", "minutes"), [(None, 2880), ("gpu", 720), ("endless", sys.maxsize)])
def test_the_longest_job_is_that_of_the_partition(name: str | None, minutes: int) -> None:
    assert cluster.longest_job(PARTITIONS, name) == minutes


@pytest.mark.parametrize(
    "request_",
    [
        Request("rule index_dataset", None, 0, 60),
        Request("rule train", "gpu", 4, 720),
        Request("rule train", "endless", 0, 100_000),
    ],
)
def test_what_fits_passes(request_: Request) -> None:
    cluster.check_requests([request_], PARTITIONS)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            Request("rule train", "gpus", 1, 60),
            "no partition 'gpus' here; this cluster has cpu .no GPUs a node",
        ),
        (Request("rule train", None, 1, 60), r"rule train needs 1 GPU\(s\) on one node.*gpu_partition"),
        (Request("rule train", "gpu", 8, 60), r"rule train needs 8 GPU\(s\) on one node.*compute.gpu: false"),
        (Request("group metrics", "gpu", 0, 960), "960 minutes; partition gpu takes jobs of at most 720"),
        (Request("rule train", None, 0, 3000), "3000 minutes; partition cpu takes jobs of at most 2880"),
    ],
)
def test_what_does_not_fit_is_named_with_the_remedy(request_: Request, said: str) -> None:
    with pytest.raises(ComputeError, match=said) as raised:
        cluster.check_requests([request_], PARTITIONS)
    assert "slurm/config.yaml" in str(raised.value)


def test_an_account_is_held_against_those_of_the_user(commands: Callable) -> None:
    commands("sacctmgr", "vision\nteaching\n")
    cluster.check_account(None)
    cluster.check_account("Vision")
    with pytest.raises(ComputeError, match=r"account 'wrong' is not among those of .*: teaching, vision"):
        cluster.check_account("wrong")


def test_an_account_where_none_are_kept_is_refused(commands: Callable) -> None:
    commands("sacctmgr", "You are not running a supported accounting_storage plugin\n", 1)
    with pytest.raises(ComputeError, match=r"this cluster keeps no accounts .*remove slurm_account"):
        cluster.check_account("vision")


@pytest.mark.parametrize("storage", ["accounting_storage/none", "(null)"])
def test_a_cluster_that_forgets_jobs_at_once_is_refused(commands: Callable, storage: str) -> None:
    commands("scontrol", f"AccountingStorageType   = {storage}\nMinJobAge               = 30 sec\n")
    cluster.check_memory_of_jobs(10)
    with pytest.raises(ComputeError, match=r"forgets a finished job after 30 s .*to at most 10 in"):
        cluster.check_memory_of_jobs(20)


def test_a_cluster_with_accounts_may_forget_jobs(commands: Callable) -> None:
    commands("scontrol", "AccountingStorageType = accounting_storage/slurmdbd\nMinJobAge = 2 sec\n")
    cluster.check_memory_of_jobs(40)


def test_gpus_that_this_machine_lacks_are_named() -> None:
    cluster.check_this_machine(0)
    with pytest.raises(ComputeError, match=r"needs 999 GPU\(s\); torch finds \d+ here"):
        cluster.check_this_machine(999)


@pytest.mark.parametrize(
    ("folder", "fits"),
    [
        ("/srv/a büro", True),
        ("/srv/o'neill/a b", True),
        ('/srv/"me"', True),
        ("""/srv/o'neill/"two\"""", False),
        ("/srv/$USER", False),
        ("/srv/a`b", False),
        ("/srv/a\\b", False),
    ],
)
def test_a_folder_that_shells_would_read_otherwise_is_refused(folder: str, fits: bool) -> None:
    if fits:
        cluster.check_folder(folder)
    else:
        with pytest.raises(ComputeError, match=r"rename it"):
            cluster.check_folder(folder)
