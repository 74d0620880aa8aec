"""Whether a run and a data set are about the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import LabelError
from vfm_fusion.segmentation.task_classes import TaskClasses


def check_classes(run: Mapping[str, Any], dataset: Dataset) -> None:
    """Compares the classes that a run has learned with those that a data set has for the run's task.

    They have to agree in name and order, and for ``panoptic`` in which of them are things. The data set need
    not be the one that the run was trained on: of two data sets that agree in their things only, one serves
    an instance run of the other.

    Args:
        run: content of the run's ``run.json``.
        dataset: what the run is evaluated on.

    Raises:
        LabelError: they differ.
    """
    learned = TaskClasses.of_run(run)
    if learned.task == "instance" and not any(category.isthing for category in dataset.categories):
        raise LabelError(
            f"the run was trained on the things {list(learned.names)}, the data set has only stuff: "
            f"{[category.name for category in dataset.categories]}; evaluate on a data set with objects"
        )
    found = TaskClasses.of(learned.task, dataset.categories)
    what = "things" if learned.task == "instance" else "classes"
    if learned.names != found.names:
        raise LabelError(
            f"the run was trained on the {what} {list(learned.names)}, the data set has {list(found.names)}"
            f"{_difference(learned, found)}; evaluate on a data set of the same {what}"
        )
    if learned.task == "panoptic" and learned.isthing != found.isthing:
        names = [
            name
            for name, *kinds in zip(learned.names, learned.isthing, found.isthing, strict=True)
            if kinds[0] != kinds[1]
        ]
        raise LabelError(
            f"the run and the data set do not agree on which of the classes {names} are things; "
            "evaluate on a data set of the same classes"
        )


def _difference(learned: TaskClasses, found: TaskClasses) -> str:
    """Names the classes of one side only; empty where just the order differs."""
    missing = [name for name in learned.names if name not in found.names]
    unknown = [name for name in found.names if name not in learned.names]
    parts = [
        f"{what}: {', '.join(names)}"
        for what, names in (("it lacks", missing), ("the run lacks", unknown))
        if names
    ]
    return f" ({'; '.join(parts)})" if parts else " (in another order)"
