"""Which classes a task's head tells apart, and which train ids its outputs stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.errors import LabelError, TrainingError


@dataclass(frozen=True)
class TaskClasses:
    """The classes of a head, in the order of its outputs.

    A head has one output for each class that it learns, numbered from 0, and one more for 'no object'. The
    tasks ``panoptic`` and ``semantic`` learn every class of the data set, so that an output's number is the
    train id; ``instance`` learns the things alone, as Mask2Former does.

    Attributes:
        task: ``panoptic``, ``instance`` or ``semantic``.
        train_ids: train id of each output, rising.
        names: the data set's name of each output.
        isthing: whether each output is a countable class.
    """

    task: str
    train_ids: tuple[int, ...]
    names: tuple[str, ...]
    isthing: tuple[bool, ...]

    @classmethod
    def of(cls, task: str, categories: Sequence[Category]) -> TaskClasses:
        """Chooses the classes of a data set that a task learns.

        Args:
            task: ``training.task``.
            categories: the data set's classes.

        Raises:
            TrainingError: the task is ``instance``, and no class is a thing.
        """
        return cls._of(task, [(category.id, category.name, category.isthing) for category in categories])

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> TaskClasses:
        """Reads the classes that a run has learned from its ``run.json``."""
        rows = [(row["id"], row["name"], row["isthing"]) for row in run["categories"]]
        return cls._of(run["training"]["task"], rows)

    @classmethod
    def _of(cls, task: str, rows: Sequence[tuple[int, str, bool]]) -> TaskClasses:
        learned = [row for row in rows if task != "instance" or row[2]]
        if not learned:
            raise TrainingError(
                f"`training.task: instance` learns things, and none of the classes "
                f"{[name for _, name, _ in rows]} is one; use `training.task: semantic` for this data set"
            )
        return cls(task, *map(tuple, zip(*learned, strict=True)))

    def __len__(self) -> int:
        return len(self.train_ids)

    @property
    def things(self) -> frozenset[int]:
        """Train ids of the countable classes."""
        return frozenset(
            train_id for train_id, isthing in zip(self.train_ids, self.isthing, strict=True) if isthing
        )

    def outputs(self, train_ids: Sequence[int]) -> list[int]:
        """Returns the output of each train id.

        Raises:
            KeyError: a train id is not learned.
        """
        numbers = {train_id: output for output, train_id in enumerate(self.train_ids)}
        return [numbers[train_id] for train_id in train_ids]


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
