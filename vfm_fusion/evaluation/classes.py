"""Whether a run and a data set are about the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import LabelError


def check_classes(run: Mapping[str, Any], dataset: Dataset) -> None:
    """Compares the classes of a run's ``run.json`` with those of a data set.

    Raises:
        LabelError: they differ.
    """
    expected = [category["name"] for category in run["categories"]]
    names = [category.name for category in dataset.categories]
    if expected != names:
        raise LabelError(
            f"the run was trained on the classes {expected}, the data set has {names}; "
            "evaluate on a data set of the same classes"
        )
