"""The benchmarks of interactive segmentation: of how many photos and objects published numbers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as it is published.

    Attributes:
        name: its name in print.
        photos: photos of each split.
        objects: objects of the validation split, which are clicked.
    """

    name: str
    photos: Mapping[str, int]
    objects: int


BENCHMARKS: dict[str, Benchmark] = {
    "berkeley": Benchmark("Berkeley", {"val": 100}, 100),  # of 96 photos, which lie there once an object
    "coco_mval": Benchmark("COCO-MVal", {"val": 800}, 800),
    "davis": Benchmark("DAVIS", {"val": 345}, 345),
    "grabcut": Benchmark("GrabCut", {"val": 50}, 50),
    "hqseg44k": Benchmark("HQSeg-44K", {"train": 44_320, "val": 1537}, 1537),
    "sbd": Benchmark("SBD", {"train": 8498, "val": 2857}, 6671),
    "tetris": Benchmark("TETRIS", {"val": 2000}, 2531),
}
"""By kind of data set."""


def differing(kind: str, photos: int, objects: int) -> str:
    """Says how what was clicked differs from what published numbers are of.

    Args:
        kind: kind of the data set.
        photos: how many were clicked.
        objects: how many of them.

    Returns:
        A sentence; empty where all of a benchmark was clicked, or the data set is none.
    """
    whole = BENCHMARKS.get(kind)
    if whole is None or (photos, objects) == (whole.photos["val"], whole.objects):
        return ""
    return (
        f"{objects:,} objects of {photos:,} photos were clicked, but published numbers on {whole.name} are "
        f"of {whole.objects:,} objects of {whole.photos['val']:,}: these are not to be compared with those."
    )
