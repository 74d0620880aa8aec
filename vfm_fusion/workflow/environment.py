"""The environment of the workflow's jobs, which they inherit from the process that starts them."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from vfm_fusion.errors import ConfigError

_UNFIT = frozenset({os.pathsep, "{", "}"})


def check_place(root: Path) -> None:
    """Holds the clone's folder and the folder of the call against what jobs can do.

    Args:
        root: the clone.

    Raises:
        ConfigError: jobs could not run in a folder of this name, or files would be looked for elsewhere.
    """
    unfit = sorted(_UNFIT & set(str(root)))
    if unfit:
        raise ConfigError(
            f"{root}: the name of this folder holds {' and '.join(unfit)}, which Python's search path or "
            "Snakemake's script lines would take apart; rename it"
        )
    if not Path.cwd().samefile(root):
        clone = os.path.normpath(root)  # of a call with -s ../Snakefile
        raise ConfigError(
            f"called in {Path.cwd()}, but all paths of this workflow start at its clone: call snakemake in "
            f"{clone}, or with -d {shlex.quote(clone)}. To keep results elsewhere, set paths.results"
        )


def prepare_environment(root: Path) -> None:
    """Sets what every job should find in its environment; what the user has set stays.

    Args:
        root: folder that holds the ``vfm_fusion`` package; scripts import this copy, whatever else is
            installed.
    """
    _search_first("PYTHONPATH", str(root))
    if shlex.quote(sys.executable) != sys.executable:
        # Snakemake writes Python's path into command lines as it is; a shell would take this one apart.
        folder, sys.executable = os.path.split(sys.executable)
        _search_first("PATH", folder)
    set_process_defaults()
    # Weights come from files: a hub that cannot be reached must fail at once, not after retries.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


def set_process_defaults() -> None:
    """Makes processes that start from now on faster on a CPU, by settings that change no result."""
    # Idle OpenMP threads that spin would steal the cores of the other jobs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A step takes and returns maps of some megabytes over and over. By default, glibc gives each back to the
    # kernel, which has to clear it again: 5 to 10 % of a training step that reads stored maps.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(64 * 2**20))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(512 * 2**20))


def _search_first(variable: str, folder: str) -> None:
    others = [path for path in os.environ.get(variable, "").split(os.pathsep) if path]
    os.environ[variable] = os.pathsep.join([folder, *others])
