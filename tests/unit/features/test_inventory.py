"""Listing and pruning of stores, and sizes that are known beforehand."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from stores import ENCODER, Photos, job, run

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.index import COLUMNS, write_index
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.errors import DatasetLayoutError, FeatureStoreError
from vfm_fusion.features.inventory import delete, find_stores, planned_layout, print_stores, prunable
from vfm_fusion.features.locks import store_lock
from vfm_fusion.features.manifest import Manifest
from vfm_fusion.features.space import describe_size, human, used_bytes
from vfm_fusion.features.store import FeatureStore


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two complete stores, one of a fine-tuned encoder, an unfinished one, and what a crash has left."""
    for name in ("scenes/kept", "scenes/gone", "scenes/finetuned/run.seed0"):
        target = tmp_path / "features" / f"{name}.zarr.manifest.json"
        (tmp_path / "features" / name).parent.mkdir(parents=True, exist_ok=True)
        made = run(tmp_path / "made" / name)
        made.rename(target)
        made.with_name("mini.zarr").rename(target.with_name(f"{target.name.split('.zarr')[0]}.zarr"))
    job(tmp_path / "made").run_part(1, 3)
    (tmp_path / "state" / "features" / "scenes").mkdir(parents=True)
    (tmp_path / "made" / "state").rename(tmp_path / "state" / "features" / "scenes" / "dropped")
    (tmp_path / "features" / "scenes" / "kept.zarr.old").mkdir()
    return tmp_path


def wanted(results: Path) -> set[Path]:
    return {results / "features" / "scenes" / "kept.zarr.manifest.json"}


def test_every_store_is_listed_with_its_state(results: Path, capsys: pytest.CaptureFixture) -> None:
    stores = find_stores(results, wanted(results))
    listed = {str(stored.path.relative_to(results)): (stored.state, stored.used) for stored in stores}
    assert listed == {
        "features/scenes/finetuned/run.seed0.zarr": ("complete", False),
        "features/scenes/gone.zarr": ("complete", False),
        "features/scenes/kept.zarr": ("complete", True),
        "features/scenes/kept.zarr.old": ("replaced", False),
        "state/features/scenes/dropped/store.zarr": ("unfinished", False),
    }
    print_stores(stores, results, "Stores")
    said = capsys.readouterr().out
    assert "features/scenes/kept.zarr" in said
    assert "OS 4: 24 x 16 x 24" in said
    assert human(sum(stored.bytes for stored in stores)) in said


def test_what_is_not_used_is_deleted_and_nothing_else(results: Path) -> None:
    stores = find_stores(results, wanted(results))
    delete(prunable(stores))
    left = find_stores(results, wanted(results))
    assert [stored.path.name for stored in left] == ["kept.zarr"]
    assert len(list(results.rglob("*.manifest.json"))) == 1
    FeatureStore(left[0].manifest).verify()


def test_a_foreign_or_missing_manifest_is_said(results: Path) -> None:
    (results / "features/scenes/gone.zarr.manifest.json").write_text("{}")
    (results / "features/scenes/kept.zarr.manifest.json").unlink()
    states = {stored.path.name: stored.state for stored in find_stores(results, wanted(results))}
    assert (states["gone.zarr"], states["kept.zarr"]) == ("foreign manifest", "without manifest")


def test_the_planned_size_is_the_size_on_disk(tmp_path: Path) -> None:
    photos = Photos(9, (70, 90))
    rows = []
    for index, name in enumerate(photos.ids):
        Image.fromarray(photos.image(index)).save(tmp_path / f"{index}.png")
        row = dict.fromkeys(COLUMNS, "")
        rows.append({**row, "image_id": name, "image": f"{index}.png", "height": 70, "width": 90})
    write_index(pd.DataFrame(rows).astype(COLUMNS), tmp_path / "val.parquet")
    settings = FeaturesConfig(max_images=8, shard_images=3)
    planned = planned_layout(tmp_path / "val.parquet", ARCHITECTURES[ENCODER.architecture], settings)
    manifest = run(tmp_path, photos, max_images=8)
    assert planned == Manifest.read(manifest).layout
    shards = tmp_path.glob("mini.zarr/os*/c/*/0/0/0")
    assert planned.total_bytes == sum(path.stat().st_size for path in shards)
    assert planned.total_bytes <= used_bytes(tmp_path / "mini.zarr")
    assert describe_size(planned).startswith("8 images, OS 4/8/16/32, float16: ")


def test_the_planned_size_of_views_is_the_size_on_disk(tmp_path: Path) -> None:
    rows = [{**dict.fromkeys(COLUMNS, ""), "image_id": name, "height": 70, "width": 90} for name in "ab"]
    write_index(pd.DataFrame(rows).astype(COLUMNS), tmp_path / "train.parquet")
    views = {"count": 3, "augmentation": {"crop": [64, 96]}}
    settings, spec = FeaturesConfig(shard_images=3), ARCHITECTURES[ENCODER.architecture]
    planned = planned_layout(tmp_path / "train.parquet", spec, settings, views)
    assert planned == Manifest.read(run(tmp_path, Photos(6, (64, 96)))).layout
    assert describe_size(planned).startswith("6 images, OS 4/8/16/32, float16: ")


def test_stores_of_views_are_listed_kept_and_deleted_as_others_are(tmp_path: Path) -> None:
    for name in ("scenes/train-2x64x96-now/mini", "scenes/train-2x64x96-before/mini"):
        run((tmp_path / "features" / name).parent)
    interrupted = job(tmp_path / "made")
    interrupted.run_part(1, 3)
    state = tmp_path / "state" / "features" / "scenes" / "train-2x64x96-now" / "other"
    state.parent.mkdir(parents=True)
    (tmp_path / "made" / "state").rename(state)
    folder = tmp_path / "features" / "scenes" / "train-2x64x96-now"
    used = {folder / f"{name}.zarr.manifest.json" for name in ("mini", "other")}
    found = {
        str(stored.path.relative_to(tmp_path)): (stored.state, stored.used)
        for stored in find_stores(tmp_path, used)
    }
    assert found == {
        "features/scenes/train-2x64x96-before/mini.zarr": ("complete", False),
        "features/scenes/train-2x64x96-now/mini.zarr": ("complete", True),
        "state/features/scenes/train-2x64x96-now/other/store.zarr": ("unfinished", True),
    }
    delete(prunable(find_stores(tmp_path, used)))
    assert not list((tmp_path / "features" / "scenes" / "train-2x64x96-before").glob("*.zarr*"))
    assert (state / "store.zarr").is_dir()
    FeatureStore(folder / "mini.zarr.manifest.json").verify()


def test_an_index_that_is_missing_is_named(tmp_path: Path) -> None:
    spec = ARCHITECTURES[ENCODER.architecture]
    with pytest.raises(DatasetLayoutError, match=r"val\.parquet"):
        planned_layout(tmp_path / "val.parquet", spec, FeaturesConfig())


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (3.2e12, "3.2 TB")]
)
def test_sizes_are_said_in_the_fitting_unit(count: float, text: str) -> None:
    assert human(int(count)) == text


def test_a_store_that_a_job_writes_is_not_deleted(results: Path) -> None:
    stores = [s for s in find_stores(results, wanted(results)) if s.state == "unfinished"]
    context = multiprocessing.get_context("fork")
    claimed, done = context.Event(), context.Event()

    def hold() -> None:
        with store_lock(stores[0].path.parent) as lock:
            lock.claim(range(1))
            claimed.set()
            done.wait(60)

    holder = context.Process(target=hold)
    holder.start()
    assert claimed.wait(60)
    with pytest.raises(FeatureStoreError, match="another job is writing"):
        delete(stores)
    done.set()
    holder.join()
    assert stores[0].path.exists()
