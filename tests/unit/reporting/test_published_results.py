"""Which published results stand beside measured ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vfm_fusion.reporting.published import published_results, read_published


@pytest.fixture(scope="module")
def published(repository: Path) -> pd.DataFrame:
    return read_published(repository / "resources/published/metric_guided_fusion.csv")


@pytest.mark.parametrize(
    ("trained_on", "evaluated_on", "task", "metrics", "best"),
    [
        ("cityscapes", "cityscapes", "instance", {"AP"}, 39.5),
        ("cityscapes", "cityscapes", "semantic", {"mIoU"}, 82.8),
        ("coco_instance", "coco_instance", "instance", {"AP", "AP50", "AP75", "APs"}, 70.8),
        ("ade20k", "ade20k", "semantic", {"mIoU"}, 57.5),
        ("kitti360", "kitti360", "instance", {"AP"}, 21.9),
        ("urbansyn", "cityscapes", "instance", {"AP"}, 32.5),
        ("synscapes", "cityscapes", "instance", {"AP"}, 33.4),
    ],
)
def test_results_of_the_same_data_and_task(
    published: pd.DataFrame, trained_on: str, evaluated_on: str, task: str, metrics: set[str], best: float
) -> None:
    found = published_results(published, trained_on, evaluated_on, task)
    assert set(found["metric"]) == metrics
    assert found["value"].max() == best


@pytest.mark.parametrize(
    ("trained_on", "evaluated_on", "task"),
    [
        ("camvid", "camvid", "semantic"),
        ("cityscapes", "urbansyn", "instance"),
        ("ade20k", "ade20k", "instance"),
    ],
)
def test_nothing_is_shown_of_other_data_or_tasks(
    published: pd.DataFrame, trained_on: str, evaluated_on: str, task: str
) -> None:
    assert published_results(published, trained_on, evaluated_on, task).empty
