"""The readers on the real CamVid photos and Cityscapes frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vfm_fusion.config.datasets import DatasetConfig, FolderConfig
from vfm_fusion.datasets.base import VOID, Instances
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.datasets.registry import index_split, open_dataset

pytestmark = pytest.mark.realdata


@pytest.fixture(autouse=True)
def _root(realdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFM_REALDATA", str(realdata))


def _open(config: DatasetConfig, split: str) -> tuple[Path, pd.DataFrame]:
    root = data_root(config, Path("unused"))
    return root, index_split(config, root, split).frame


@pytest.mark.parametrize(("split", "count"), [("train", 184), ("val", 51)])
def test_every_camvid_image(split: str, count: int) -> None:
    config = FolderConfig(kind="camvid", root="$VFM_REALDATA/images/camvid")
    root, frame = _open(config, split)
    assert len(frame) == count
    assert set(zip(frame["height"], frame["width"], strict=True)) == {(360, 480)}
    assert frame["sha256"].is_unique
    dataset = open_dataset(config, root, frame)
    seen: set[int] = set()
    for position in range(0, count, 6):
        sample = dataset[position]
        assert sample.instances is None
        seen |= set(np.unique(sample.semantic).tolist())
    assert seen == {*range(11), VOID}


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("val", 1)])
def test_every_cityscapes_frame(split: str, count: int) -> None:
    config = FolderConfig(kind="cityscapes", root="$VFM_REALDATA/images/cityscapes")
    root, frame = _open(config, split)
    dataset = open_dataset(config, root, frame)
    assert len(dataset) == count
    for position in range(count):
        sample = dataset[position]
        assert sample.image.shape == (1024, 2048, 3)
        assert sample.semantic.shape == (1024, 2048)
        _check_objects(sample.instances, root / frame["instance"].iloc[position])


def _check_objects(instances: Instances, path: Path) -> None:
    """Objects and groups are the thing ids of the raw raster, pixel for pixel."""
    values, pixels = np.unique(np.array(Image.open(path)), return_counts=True)
    label_ids = np.where(values >= 1000, values // 1000, values)
    is_thing = np.isin(label_ids, [24, 25, 26, 27, 28, 31, 32, 33])
    assert is_thing.sum() == len(instances) > 0
    assert instances.crowd.tolist() == (values[is_thing] < 1000).tolist()
    counted = np.bincount(instances.ids.ravel(), minlength=len(instances) + 1)[1:]
    assert counted.tolist() == pixels[is_thing].tolist()


def test_cityscapes_objects_lie_on_their_class() -> None:
    config = FolderConfig(kind="cityscapes", root="$VFM_REALDATA/images/cityscapes")
    root, frame = _open(config, "val")
    sample = open_dataset(config, root, frame)[0]
    thing_ids = [category.id for category in CATEGORIES if category.isthing]
    assert np.array_equal(sample.instances.ids > 0, np.isin(sample.semantic, thing_ids))
    owner = sample.instances.categories[sample.instances.ids[sample.instances.ids > 0] - 1]
    assert np.array_equal(owner, sample.semantic[sample.instances.ids > 0])
