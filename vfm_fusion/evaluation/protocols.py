"""Whose rules a data set is evaluated by."""

from __future__ import annotations

from typing import Literal

from vfm_fusion.config.evaluation import Protocol

CITYSCAPES_KINDS = frozenset(
    {"acdc", "cityscapes", "gta5", "kitti360", "miniscapes", "synscapes", "synthia", "urbansyn"}
)
"""Data sets with the classes of Cityscapes, which the field evaluates by its official scripts."""

BOUNDARY_RATIO: dict[Protocol, float] = {"coco": 0.02, "cityscapes": 0.005}
"""Width of boundary regions over the image's diagonal: what the authors' code takes for either benchmark."""


def protocol_of(setting: Literal["auto"] | Protocol, kind: str) -> Protocol:
    """Returns the protocol of a data set.

    Args:
        setting: ``evaluation.instance_protocol``; ``auto`` decides by the kind.
        kind: the data set's kind, see :data:`vfm_fusion.config.datasets.Kind`.
    """
    if setting != "auto":
        return setting
    return "cityscapes" if kind in CITYSCAPES_KINDS else "coco"
