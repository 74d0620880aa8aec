"""Which published results stand beside measured ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.reporting.published import published_results, published_table, read_published


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


@pytest.fixture(scope="module")
def interactive(repository: Path) -> pd.DataFrame:
    return read_published(repository / "resources/published/isegprobe.csv")


def test_published_upsamplers_have_the_names_of_the_registry(interactive: pd.DataFrame) -> None:
    clicks = published_table(interactive, "clicks").query("metric == 'NoC@90'")
    cells = clicks.pivot_table(index=["mode", "model"], columns="dataset", values="value")
    assert cells.shape == (2 * 5, 4)
    assert cells.notna().all(axis=None)
    assert cells.to_numpy().min() >= 1
    assert cells.to_numpy().max() <= 20
    for table in ("clicks", "first_click", "linear_probe"):
        assert set(published_table(interactive, table)["model"]) <= set(UPSAMPLERS)


def test_published_findings_of_isegprobe(interactive: pd.DataFrame) -> None:
    clicks = published_table(interactive, "clicks").query("metric == 'NoC@90'")
    cells = clicks.pivot_table(index=["mode", "dataset"], columns="model", values="value")
    assert (cells["loftup"] == cells.min(axis=1)).all()
    assert (cells["bilinear"] > cells["none"]).all()
    assert (cells.loc["patch_embed", "lift"] == cells.loc["patch_embed"].max(axis=1)).all()
    by_mode = clicks.pivot_table(index=["dataset", "model"], columns="mode", values="value")
    assert (by_mode["simple_vit"] < by_mode["patch_embed"]).all()
    davis = published_table(interactive, "systems").query("dataset == 'DAVIS'")
    assert davis.pivot_table(index="metric", columns="model", values="value").loc["NoC@90"].to_dict() == {
        "SAM ViT-B": 5.15,
        "SegNext ViT-B": 4.43,
    }


def test_no_published_value_stands_without_a_remark_on_its_source(interactive: pd.DataFrame) -> None:
    assert interactive["source"].str.endswith("not checked against its tables").all()
    assert not interactive.duplicated(["table", "dataset", "model", "mode", "metric"]).any()
