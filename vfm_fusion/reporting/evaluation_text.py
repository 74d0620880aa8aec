"""What tables of results say of how they were evaluated."""

from __future__ import annotations

import math

from vfm_fusion.reporting.seeds import Evaluation
from vfm_fusion.reporting.table import number


def protocol(first: Evaluation | None) -> str:
    """Says by whose rules AP was computed."""
    names = {"coco": "the protocol of COCO", "cityscapes": "the protocol of Cityscapes"}
    return names[first["instance_protocol"]] if first else "the protocol of the data set"


def where(first: Evaluation | None) -> str:
    """Says on which images runs were evaluated, and trained where those are others; begins with a space."""
    if first is None:
        return ""
    moved = first["trained_on"] != first["dataset"]
    return f" on {first['dataset']}" + (f" after training on {first['trained_on']}" if moved else "")


def boundary_note(first: Evaluation | None) -> str:
    """Says what stands below AP and IoU, as far as the task has them; empty without an evaluation."""
    if first is None:
        return ""
    width = f"{100 * first['boundary_ratio']:g} %"
    measures = {"instance": "Boundary AP", "semantic": "Boundary IoU"}
    shown = measures.get(first["task"], "Boundary AP and Boundary IoU")
    return f"boundary: {shown}, of regions {width} of the image's diagonal wide."


def below(value: float) -> str:
    """The line below AP or IoU; empty where there is none."""
    return "" if math.isnan(value) else f"boundary {number(value, 1)}"
