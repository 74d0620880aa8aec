"""Export to HDF5: the same maps, self-describing, complete or absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import IMAGES, Photos, run, shard_of

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.export import export_store
from vfm_fusion.features.manifest import Manifest
from vfm_fusion.features.store import FeatureStore


@pytest.mark.parametrize(("dtype", "found"), [("float16", "<f2"), ("float32", "<f4"), ("bfloat16", "<f4")])
def test_the_file_holds_the_maps_and_says_what_they_are(tmp_path: Path, dtype: str, found: str) -> None:
    store, path = FeatureStore(run(tmp_path, dtype=dtype)), tmp_path / "deep" / "maps.h5"
    export_store(store, path)
    with h5py.File(path) as file:
        assert list(file["image_id"].asstr()) == list(Photos().ids)
        assert list(file.attrs["strides"]) == [4, 8, 16, 32]
        assert file.attrs["architecture"] == "mini_hiera"
        assert file.attrs["content"] == store.manifest.content
        assert tuple(file.attrs["input_size"]) == (64, 96)
        for stride in (4, 8, 16, 32):
            maps = file[f"os{stride}"]
            assert maps.dtype == np.dtype(found)
            assert [dimension.label for dimension in maps.dims] == ["image", "channel", "y", "x"]
            assert (maps.chunks[0], maps.fletcher32) == (1, True)
            for index in range(IMAGES):
                assert np.array_equal(maps[index].astype(np.float32), store.read(index)[stride])


def test_a_damaged_store_leaves_the_previous_file(tmp_path: Path) -> None:
    manifest, path = run(tmp_path), tmp_path / "maps.h5"
    path.write_bytes(b"previous")
    shard_of(manifest, Manifest.read(manifest).layout, 6, 16).unlink()
    with pytest.raises(FeatureStoreError, match="image 6 ü, OS=16"):
        export_store(FeatureStore(manifest), path)
    assert path.read_bytes() == b"previous"
    assert [file.name for file in tmp_path.glob("*.h5*")] == ["maps.h5"]
    assert not list(tmp_path.glob(".*"))


def test_a_disk_without_room_is_named_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(run(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    with pytest.raises(FeatureStoreError, match=r"maps\.h5: [\d,]+ bytes are needed, 10 are free"):
        export_store(store, tmp_path / "maps.h5")


def test_the_command_line_exports_and_names_errors(tmp_path: Path, repository: Path) -> None:
    manifest = run(tmp_path)
    command = [sys.executable, "-m", "vfm_fusion.features.export"]
    options = {"cwd": repository, "capture_output": True, "text": True, "env": dict(os.environ)}
    done = subprocess.run([*command, manifest, tmp_path / "maps.h5"], **options, check=False)
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "maps.h5") as file:
        assert file["os32"].shape == (IMAGES, 192, 2, 3)
    done = subprocess.run([*command, tmp_path / "no.json", tmp_path / "x.h5"], **options, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("FeatureStoreError: ")
    assert "Traceback" not in done.stderr
