"""What a SLURM cluster offers, and whether the jobs of a run fit it; asked before anything is queued."""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vfm_fusion.errors import ComputeError

PROFILE = "slurm/config.yaml"
"""Where a user states partitions, account and limits of the site."""

_GPUS = re.compile(r"(?:^|,)gpu(?::[^:,()]+)?:(\d+)")
_LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")
_MIN_JOB_AGE = re.compile(r"^MinJobAge\s*=\s*(\d+)", re.MULTILINE)
_NO_ACCOUNTING = re.compile(r"^AccountingStorageType\s*=\s*(accounting_storage/none|\(null\))", re.MULTILINE)


@dataclass(frozen=True)
class Partition:
    """A partition of a cluster.

    Attributes:
        name: its name.
        default: whether jobs that name no partition go there.
        gpus: GPUs of its best node.
        minutes: the longest job it takes; None for no limit.
    """

    name: str
    default: bool
    gpus: int
    minutes: int | None


@dataclass(frozen=True)
class Request:
    """What a job, or a group of jobs in one submission, asks for in its first attempt.

    Attributes:
        name: the rule or the group.
        partition: the partition that they name, if any.
        gpus: GPUs of a job.
        minutes: time of a job.
    """

    name: str
    partition: str | None
    gpus: int
    minutes: int


def read_partitions() -> list[Partition]:
    """Asks SLURM for its partitions that are up.

    Raises:
        ComputeError: there is no SLURM here, or it does not answer.
    """
    return parse_partitions(_ask("sinfo", "--noheader", "--format=%P|%a|%l|%G"))


def parse_partitions(listed: str) -> list[Partition]:
    """Reads the lines of ``sinfo --format=%P|%a|%l|%G``: one for each kind of node of each partition."""
    found: dict[str, Partition] = {}
    for line in listed.splitlines():
        name, state, limit, resources = line.strip().split("|")
        if state != "up":
            continue
        gpus = sum(int(count) for count in _GPUS.findall(resources))
        known = found.get(name)
        most = max(gpus, known.gpus if known else 0)
        found[name] = Partition(name.removesuffix("*"), name.endswith("*"), most, _minutes(limit))
    return list(found.values())


def partition_with_gpus(partitions: Iterable[Partition], gpus: int) -> str | None:
    """The partition for a job on GPUs where the user names none: the default one, else the first that fits.

    Args:
        partitions: those of the cluster.
        gpus: GPUs that the job needs on one node.

    Returns:
        Its name, or None where no partition has as many.
    """
    fitting = [partition for partition in partitions if partition.gpus >= gpus]
    fitting.sort(key=lambda partition: not partition.default)
    return fitting[0].name if fitting else None


def longest_job(partitions: Iterable[Partition], name: str | None) -> int:
    """Minutes of the longest job that a partition takes; one that is not named is the default one."""
    chosen = [p for p in partitions if p.name == name or (name is None and p.default)]
    return min((p.minutes for p in chosen if p.minutes is not None), default=sys.maxsize)


def minutes_of_attempt(minutes: int, attempt: int, longest: int) -> int:
    """Minutes of a job: more with every attempt, as far as its partition allows, and never less than stated.

    >>> [minutes_of_attempt(60, attempt, longest=100) for attempt in (1, 2, 3)]
    [60, 100, 100]
    """
    return max(minutes, min(minutes * attempt, longest))


def check_requests(requests: Iterable[Request], partitions: Sequence[Partition]) -> None:
    """Holds what jobs ask for against what the cluster has.

    Raises:
        ComputeError: a partition is unknown, has too few GPUs, or takes no jobs that long.
    """
    known = {partition.name: partition for partition in partitions}
    default = next((partition for partition in partitions if partition.default), None)
    offered = "; ".join(_offer(partition) for partition in partitions) or "no partition that is up"
    for request in requests:
        if request.partition and request.partition not in known:
            raise ComputeError(
                f"{request.name}: there is no partition {request.partition!r} here; this cluster has "
                f"{offered}. Set slurm_partition and gpu_partition in {PROFILE}"
            )
        partition = known[request.partition] if request.partition else default
        if request.gpus > (partition.gpus if partition else 0):
            raise ComputeError(
                f"{request.name} needs {request.gpus} GPU(s) on one node; this cluster has {offered}. "
                f"Name a partition with GPUs in {PROFILE} (gpu_partition), lower training.devices, or run an "
                "experiment without GPUs: --config experiment=miniature, or compute.gpu: false"
            )
        if partition and partition.minutes is not None and request.minutes > partition.minutes:
            raise ComputeError(
                f"{request.name} asks for {request.minutes} minutes; partition {partition.name} takes jobs "
                f"of at most {partition.minutes}. In {PROFILE}, give its rules less with set-resources "
                "(`runtime`; a job that reaches its limit is tried again and goes on where it was), or put "
                "fewer of a group into one submission with group-components"
            )


def check_folder(folder: str) -> None:
    """Holds the path of the clone against what Snakemake's plugin for SLURM can write into a job's command.

    Raises:
        ComputeError: the shells on the way would change the path.
    """
    if set("$`\\") & set(folder) or {"'", '"'} <= set(folder):
        raise ComputeError(
            f"{folder}: a cluster's jobs cannot start in a folder whose path holds $, `, \\ or both "
            "kinds of quotes; rename it"
        )


def check_account(account: str | None) -> None:
    """Holds the user's SLURM account against those that the cluster knows.

    Raises:
        ComputeError: an account is stated that the cluster does not know, or that it cannot know.
    """
    if account is None:
        return
    remedy = f"Correct or remove slurm_account in {PROFILE}"
    user = getpass.getuser()
    try:
        listed = _ask(
            "sacctmgr", "--noheader", "--parsable2", "list", "assoc", f"user={user}", "format=account"
        )
    except ComputeError as error:
        raise ComputeError(
            f"account {account!r} is stated, but this cluster keeps no accounts ({error}). {remedy}"
        ) from None
    accounts = sorted({line.strip() for line in listed.splitlines() if line.strip()})
    if account.lower() not in [name.lower() for name in accounts]:
        raise ComputeError(
            f"account {account!r} is not among those of {user}: {', '.join(accounts) or 'none'}. {remedy}"
        )


def check_memory_of_jobs(first_check_seconds: int) -> None:
    """Makes sure that the end of a job can be learnt: SLURM remembers it long enough, or keeps accounts.

    Args:
        first_check_seconds: ``slurm-init-seconds-before-status-checks`` of the profile.

    Raises:
        ComputeError: jobs may be forgotten between two looks, so a run could wait for one for ever.
    """
    settings = _ask("scontrol", "show", "config")
    age = _MIN_JOB_AGE.search(settings)
    if age is None or not _NO_ACCOUNTING.search(settings):
        return
    if int(age.group(1)) < 3 * first_check_seconds:
        raise ComputeError(
            f"this cluster keeps no accounts and forgets a finished job after {age.group(1)} s (MinJobAge); "
            f"a look every {first_check_seconds} s could miss its end. Set "
            "slurm-init-seconds-before-status-checks to at most "
            f"{max(1, int(age.group(1)) // 3)} in {PROFILE}"
        )


def check_this_machine(gpus: int) -> None:
    """Holds the GPUs that jobs need against those of this machine.

    Raises:
        ComputeError: it has fewer.
    """
    if gpus == 0:
        return
    import torch

    if torch.cuda.device_count() < gpus:
        raise ComputeError(
            f"the experiment needs {gpus} GPU(s); torch finds {torch.cuda.device_count()} here. Run it where "
            "they are (`--profile slurm` on a cluster, docs/cluster.md), or an experiment without GPUs: "
            "--config experiment=miniature. compute.gpu: false computes this one on the CPU, at full size "
            "for months"
        )


def _offer(partition: Partition) -> str:
    limit = "no time limit" if partition.minutes is None else f"{partition.minutes} minutes"
    return f"{partition.name} ({partition.gpus or 'no'} GPUs a node, {limit})"


def _minutes(limit: str) -> int | None:
    found = _LIMIT.fullmatch(limit)
    if found is None:
        return None
    parts = {name: int(value or 0) for name, value in found.groupdict().items()}
    return parts["days"] * 1440 + parts["hours"] * 60 + parts["minutes"]


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise ComputeError(
            f"{command[0]} is not installed: `--profile slurm` works where SLURM's commands do (a login "
            "node); elsewhere leave it away"
        ) from None
    except subprocess.TimeoutExpired:
        raise ComputeError(
            f"{command[0]} did not answer within a minute; is SLURM's controller up?"
        ) from None
    if done.returncode:
        raise ComputeError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
