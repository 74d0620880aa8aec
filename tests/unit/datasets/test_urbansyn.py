"""UrbanSyn: its rasters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from tiny_streets import TINY, read

from vfm_fusion.datasets.base import VOID


def test_classes_and_objects(tmp_path: Path) -> None:
    TINY["urbansyn"].write(tmp_path, "0001")
    sample = read("urbansyn", tmp_path)[0]
    assert sample.image_id == "0001"
    assert sample.semantic.tolist() == [[0, 13, 13, VOID], [10, 13, 11, 18]]
    # the bicycle has no colour: it was not told apart
    assert sample.instances.crowd.tolist() == [True, False, False, False]
    assert sample.instances.categories[0] == 18
    masks = {
        (int(sample.instances.categories[i]), tuple(np.flatnonzero(sample.instances.mask(i)).tolist()))
        for i in range(1, 4)
    }
    assert masks == {(13, (1, 2)), (13, (5,)), (11, (6,))}


def test_without_the_archive_of_objects(tmp_path: Path) -> None:
    TINY["urbansyn"].write(tmp_path, "0001")
    shutil.rmtree(tmp_path / "panoptic")
    sample = read("urbansyn", tmp_path)[0]
    assert sample.instances is None
    assert sample.semantic[0, 1] == 13
