"""Which classes a task's head tells apart, and which train ids its outputs stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfm_fusion.datasets.base import Category
from vfm_fusion.errors import TrainingError


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
