"""The evaluators by name, and what each needs; imported when used. Adding one is a module and a line here.

Declarations only. Code fingerprints leave this module out: what a rule uses of it is in its params.
"""

from __future__ import annotations

from vfm_fusion.evaluation.declared import Entry

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
