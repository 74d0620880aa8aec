"""Index, categories and roots as files and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from vfm_fusion.config.datasets import FOLDERS, FolderConfig, MiniscapesConfig
from vfm_fusion.config.registries import READERS
from vfm_fusion.datasets.categories import read_categories, write_categories
from vfm_fusion.datasets.index import AnyReader, read_index, write_index
from vfm_fusion.datasets.kinds import data_root, reader
from vfm_fusion.datasets.registry import categories, index_split, open_dataset
from vfm_fusion.errors import DatasetLayoutError


@pytest.fixture
def frame(camvid_root: Path, camvid_config: FolderConfig) -> pd.DataFrame:
    return index_split(camvid_config, camvid_root, "train").frame


def test_round_trip(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "index" / "train.parquet"
    write_index(frame, path)
    pd.testing.assert_frame_equal(read_index(path), frame)
    assert [file.name for file in path.parent.iterdir()] == ["train.parquet"]
    first = path.read_bytes()
    write_index(frame, path)
    assert path.read_bytes() == first
    assert str(tmp_path).encode() not in first


@pytest.mark.parametrize("column", ["image", "semantic", "instance"])
@pytest.mark.parametrize("evil", ["/etc/passwd", "../outside.png", "train/../../outside.png"])
def test_paths_that_leave_the_root_are_refused(
    frame: pd.DataFrame, tmp_path: Path, column: str, evil: str
) -> None:
    frame.loc[1, column] = evil
    write_index(frame, tmp_path / "a.parquet")
    with pytest.raises(DatasetLayoutError, match="not a path below the data root"):
        read_index(tmp_path / "a.parquet")


def test_a_damaged_index(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(DatasetLayoutError, match=r"a\.parquet"):
        read_index(path)
    write_index(frame, path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetLayoutError, match=r"a\.parquet"):
        read_index(path)
    frame.drop(columns="sha256").to_parquet(path)
    with pytest.raises(DatasetLayoutError, match="sha256"):
        read_index(path)


def test_an_image_without_labels(frame: pd.DataFrame, camvid_root: Path, camvid_config: FolderConfig) -> None:
    frame["semantic"] = pd.array([None] * len(frame), dtype="str")
    sample = open_dataset(camvid_config, camvid_root, frame)[0]
    assert sample.semantic is None
    assert sample.instances is None


@pytest.mark.parametrize("kind", FOLDERS)
def test_categories_round_trip(kind: str, tmp_path: Path) -> None:
    expected = reader(kind).categories
    write_categories(expected, tmp_path / "categories.json")
    assert read_categories(tmp_path / "categories.json") == expected


def test_damaged_categories(tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    for content in (
        "",
        "{}",
        '[{"id": 0}]',
        json.dumps([{"id": 1, "name": "a", "isthing": True, "color": []}]),
    ):
        path.write_text(content)
        if content == "{}":
            assert read_categories(path) == ()
            continue
        with pytest.raises(DatasetLayoutError, match=r"categories\.json"):
            read_categories(path)


def test_miniscapes_is_read_as_cityscapes() -> None:
    mini, full = MiniscapesConfig(kind="miniscapes"), FolderConfig(kind="cityscapes", root=".")
    assert categories(mini) == categories(full)


def test_generated_root(tmp_path: Path) -> None:
    assert data_root(MiniscapesConfig(kind="miniscapes"), tmp_path / "generated") == tmp_path / "generated"


def test_environment_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images/camvid").mkdir(parents=True)
    monkeypatch.setenv("SOME_DATA", str(tmp_path))
    for root in ("$SOME_DATA/images/camvid", "${SOME_DATA}/images/camvid"):
        assert data_root(FolderConfig(kind="camvid", root=root), tmp_path) == tmp_path / "images/camvid"


@pytest.mark.parametrize("root", ["$UNSET_DATA/x", "${UNSET_DATA}/x"])
def test_an_unset_variable_is_named(root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UNSET_DATA", raising=False)
    with pytest.raises(DatasetLayoutError, match=r"datasets\.street\.root.*UNSET_DATA.*export UNSET_DATA="):
        data_root(FolderConfig(kind="camvid", root=root), tmp_path, "street")


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    config = FolderConfig(kind="cityscapes", root=str(tmp_path / "nirgends"))
    with pytest.raises(DatasetLayoutError, match=r"datasets\.street\.root.*nirgends"):
        data_root(config, tmp_path, "street")
    (tmp_path / "one.png").touch()
    with pytest.raises(DatasetLayoutError, match=r"is the file .*one\.png\. Set datasets\.street\.root"):
        data_root(FolderConfig(kind="cityscapes", root=str(tmp_path / "one.png")), tmp_path, "street")


def test_every_kind_of_the_configuration_has_a_reader() -> None:
    assert sorted(READERS) == list(READERS)
    assert set(READERS) == {*FOLDERS, "miniscapes", "folder", "coco"}
    assert all(isinstance(reader(kind), AnyReader) for kind in READERS)
