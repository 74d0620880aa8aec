"""The feature cache as a user meets it: parts, listing, checking, repairing, pruning, exporting."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest
from working_copy import SMALL, Workflow

pytestmark = [pytest.mark.slow("some twenty calls of the workflow"), pytest.mark.timeout(1200)]

STORE = "features/miniscapes/mini-sam.zarr"


def said(workflow: Workflow, target: str, **features: object) -> tuple[int, str]:
    """Exit status and everything that a call prints."""
    workflow.config["features"] = json.dumps({"batch_size": 1, "shard_images": 2, **features})
    done = workflow.snakemake(target)
    return done.returncode, done.stdout + done.stderr


def done(workflow: Workflow, target: str, **features: object) -> str:
    status, text = said(workflow, target, **features)
    assert status == 0, text
    return text


def test_a_store_made_in_parts_is_checked_repaired_pruned_and_exported(fresh: Workflow) -> None:
    fresh.config = dict(SMALL)
    manifest = f"results/quick/{STORE}.manifest.json"
    assert "mini-sam.zarr.manifest.json: known once its images are indexed" in done(fresh, "feature_info")

    assert "5 images, OS 4/8/16/32, float16: " in done(fresh, manifest, parts=2)
    store = fresh.results / STORE
    in_parts = (fresh.folder / manifest).read_bytes()
    assert len(list(store.glob("os4/c/*/0/0/0"))) == 3
    assert not list(fresh.results.glob("state/features/*/*/*.json"))
    log = fresh.results / "logs/extract_features/miniscapes/mini-sam.log"
    assert "5 images are there, 0 to go" in log.read_text()
    assert "Nothing to be done" in done(fresh, manifest, parts=2, threads=2, prune=True)

    (fresh.folder / manifest).unlink()
    store.rename(store.with_name("aside"))
    done(fresh, manifest)
    assert (fresh.folder / manifest).read_bytes() == in_parts
    for path in store.glob("os*/c/*/0/0/0"):
        assert path.read_bytes() == (store.with_name("aside") / path.relative_to(store)).read_bytes()
    store.with_name("aside").rename(store.with_name("aside.zarr"))

    assert "1 of 1 feature stores are intact" in done(fresh, "verify_features")
    shard = store / "os8/c/1/0/0/0"
    shard.write_bytes(shard.read_bytes()[:1000])
    status, text = said(fresh, "verify_features")
    assert status != 0
    assert "mini-sam.zarr: image " in text
    assert "OS=8: the chunk is cut" in text
    status, text = said(fresh, "results/quick/metrics/miniscapes/mini-sam.parquet")
    assert status != 0
    assert "FeatureStoreError" in text
    assert "OS=8: the chunk is cut" in text
    assert not (fresh.results / "metrics/miniscapes/mini-sam.parquet").exists()
    (fresh.folder / manifest).unlink()
    done(fresh, manifest)
    assert (fresh.folder / manifest).read_bytes() == in_parts
    assert log.read_text().count("is damaged; it is extracted again") == 2
    done(fresh, "verify_features")

    assert "Nothing was deleted" in done(fresh, "prune_features")
    assert store.with_name("aside.zarr").exists()
    assert "freed." in done(fresh, "prune_features", prune=True)
    assert not store.with_name("aside.zarr").exists()
    done(fresh, "verify_features")

    done(fresh, "export_features", parts=3)
    assert exported(fresh.results / "exports/miniscapes/mini-sam.h5") == {4, 8, 16, 32}
    assert exported(fresh.results / "exports/miniscapes/mini-dino.h5") == {16}
    assert "mini-swin.zarr" in done(fresh, "feature_info")


def exported(path: Path) -> set[int]:
    with h5py.File(path) as file:
        strides = {int(stride) for stride in file.attrs["strides"]}
        assert all(file[f"os{stride}"].shape[0] == 5 for stride in strides)
    return strides
