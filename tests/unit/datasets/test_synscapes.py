"""Synscapes: its rasters."""

from __future__ import annotations

from pathlib import Path

from tiny_streets import TINY, read

from vfm_fusion.datasets.base import VOID


def test_classes_and_objects(tmp_path: Path) -> None:
    TINY["synscapes"].write(tmp_path, "1")
    sample = read("synscapes", tmp_path)[0]
    assert sample.semantic.tolist() == [[0, 13, 13, VOID], [10, 12, 18, 11]]
    # the license plate (255) keeps its number but is no thing; the person has no number
    assert sample.instances.ids.tolist() == [[0, 5, 2, 0], [0, 3, 4, 1]]
    assert sample.instances.categories.tolist() == [11, 13, 12, 18, 13]
    assert sample.instances.crowd.tolist() == [True, False, False, False, False]


def test_other_renderings_are_not_looked_at(tmp_path: Path) -> None:
    TINY["synscapes"].write(tmp_path, "1")
    for name in ("img/rgb-2k/1.png", "img/depth/1.exr", "meta/1.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    assert read("synscapes", tmp_path).ids == ("1",)
