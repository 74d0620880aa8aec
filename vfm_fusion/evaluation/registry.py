"""The evaluators by name, and what each needs; imported when used. Adding one is a module and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from vfm_fusion.config.datasets import Protocol

if TYPE_CHECKING:
    from vfm_fusion.evaluation.evaluator import Evaluator

BOUNDARY_RATIO: dict[Protocol, float] = {"coco": 0.02, "cityscapes": 0.005}
"""Width of boundary regions over the image's diagonal: what the authors' code takes for either benchmark."""


@dataclass(frozen=True)
class Entry:
    """An evaluator that is imported when it is used.

    Attributes:
        target: ``module:class``.
        tasks: the tasks that predict what it reads; for other runs its scores are undefined, with a reason.
        needs: the labels that it reads, ``semantic`` or ``instances``.
        protocol: the instance protocol that it follows; None: it is the same under each.
    """

    target: str
    tasks: tuple[str, ...]
    needs: tuple[str, ...]
    protocol: Protocol | None = None

    @property
    def module(self) -> str:
        """Name of the module that defines it."""
        return self.target.partition(":")[0]

    def load(self) -> type[Evaluator]:
        """Imports and returns the class."""
        return getattr(import_module(self.module), self.target.partition(":")[2])


_HERE = "vfm_fusion.evaluation"
_MAPS, _OBJECTS = ("panoptic", "semantic"), ("panoptic", "instance")

EVALUATORS: dict[str, Entry] = {
    "mean_iou": Entry(f"{_HERE}.mean_iou:MeanIoU", _MAPS, ("semantic",)),
    "boundary_iou": Entry(f"{_HERE}.boundary:BoundaryIoU", _MAPS, ("semantic",)),
    "coco_ap": Entry(f"{_HERE}.coco_ap:CocoAP", _OBJECTS, ("instances",), "coco"),
    "cityscapes_ap": Entry(f"{_HERE}.cityscapes_ap:CityscapesAP", _OBJECTS, ("instances",), "cityscapes"),
    "panoptic_quality": Entry(
        f"{_HERE}.panoptic_quality:PanopticQuality", ("panoptic",), ("semantic", "instances")
    ),
}
