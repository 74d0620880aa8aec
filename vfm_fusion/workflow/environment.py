"""The environment of the workflow's jobs, which they inherit from the process that starts them."""

from __future__ import annotations

import os
from pathlib import Path


def prepare_environment(root: Path) -> None:
    """Sets what every job should find in its environment; what the user has set stays.

    Args:
        root: folder that holds the ``vfm_fusion`` package; scripts import this copy, whatever else is
            installed.
    """
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *others])
    # Idle OpenMP threads that spin would steal the cores of the other jobs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Weights come from files: a hub that cannot be reached must fail at once, not after retries.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
