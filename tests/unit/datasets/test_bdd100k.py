"""BDD100K: its two layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_streets import TINY, read

from vfm_fusion.datasets.base import VOID
from vfm_fusion.errors import DatasetLayoutError


@pytest.mark.parametrize("layout", ["bdd100k", "bdd100k, older"])
def test_classes(tmp_path: Path, layout: str) -> None:
    TINY[layout].write(tmp_path, "0a0a0b1a-7c39d841")
    sample = read("bdd100k", tmp_path)[0]
    assert sample.image_id == "0a0a0b1a-7c39d841"
    assert sample.semantic.tolist() == [[0, 18, VOID, 2], [1, 3, 9, 16]]
    assert sample.instances is None


def test_the_newer_layout_comes_first(tmp_path: Path) -> None:
    TINY["bdd100k, older"].write(tmp_path, "older")
    TINY["bdd100k"].write(tmp_path, "newer")
    assert read("bdd100k", tmp_path).ids == ("newer",)


def test_neither_layout(tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match="images/10k/train: no such folder"):
        read("bdd100k", tmp_path)


def test_a_split_that_was_not_unpacked(tmp_path: Path) -> None:
    TINY["bdd100k"].write(tmp_path, "a")
    with pytest.raises(DatasetLayoutError, match="images/10k/val: no such folder"):
        read("bdd100k", tmp_path, "val")
