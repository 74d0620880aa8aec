"""Damaged, copied, moved and stale stores: refused by name, repaired map by map."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import pytest
import torch
import zarr
from stores import IMAGES, SHARD, job, run, shard_of, written

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.layout import CRC_BYTES, StoreLayout
from vfm_fusion.features.manifest import Manifest, store_path
from vfm_fusion.features.store import FeatureStore

IMAGE, STRIDE = 4, 8


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was extracted without interruption; tests must not change it."""
    return run(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    """A copy of it for the test to damage, with its manifest."""
    shutil.copytree(whole.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / whole.name


def patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip_a_bit(path: Path, start: int, size: int) -> None:
    byte = path.read_bytes()[start + size // 2]
    patch(path, start + size // 2, bytes([byte ^ 16]))


def flip_a_bit_of_the_checksum(path: Path, start: int, size: int) -> None:
    patch(path, start + size, bytes([path.read_bytes()[start + size] ^ 1]))


def zero(path: Path, start: int, size: int) -> None:
    patch(path, start, bytes(size + CRC_BYTES))


def swap_with_its_neighbour(path: Path, start: int, size: int) -> None:
    """Every byte is good, in the wrong place: only the manifest can tell."""
    neighbour = path.read_bytes()[: size + CRC_BYTES]
    patch(path, start, neighbour)


def forge(path: Path, start: int, size: int) -> None:
    """Another map with a CRC32C of its own that agrees."""
    forged = b"\0" * size
    patch(path, start, forged + google_crc32c.value(forged).to_bytes(CRC_BYTES, "little"))


def repaired(store: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs the extraction again, as the workflow does without the manifest; which images it wrote."""
    store.unlink()
    seen = written(monkeypatch)
    run(store.parent)
    FeatureStore(store).verify()
    assert Manifest.read(store) == Manifest.read(whole)
    for path in store_path(whole).glob("os*/c/*/0/0/0"):
        assert (store_path(store) / path.relative_to(store_path(whole))).read_bytes() == path.read_bytes()
    return seen


@pytest.mark.parametrize(
    "damage", [flip_a_bit, flip_a_bit_of_the_checksum, zero, swap_with_its_neighbour, forge]
)
def test_a_damaged_map_is_refused_by_name_and_repaired_alone(
    store: Path, whole: Path, damage: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Manifest.read(store).layout
    path = shard_of(store, layout, IMAGE, STRIDE)
    damage(path, layout.slot(IMAGE, STRIDE), layout.map_bytes(STRIDE))
    opened = FeatureStore(store)
    opened.read(IMAGE - 1)
    named = re.escape(str(store_path(store))) + rf": image image {IMAGE} ü, OS={STRIDE}"
    with pytest.raises(FeatureStoreError, match=named):
        opened.read(IMAGE)
    errors = [str(error) for error in opened.damage()]
    assert len(errors) == 1
    assert re.match(named, errors[0])
    with pytest.raises(FeatureStoreError, match=named):
        opened.verify()
    assert repaired(store, whole, monkeypatch) == [IMAGE]


def test_a_lost_shard_is_refused_and_its_images_alone_are_made_again(
    store: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard_of(store, Manifest.read(store).layout, IMAGE, STRIDE).unlink()
    errors = [str(error) for error in FeatureStore(store).damage()]
    assert [re.search(r"image (\d)", error)[1] for error in errors[:-1]] == ["3", "4", "5"]
    assert "image 3 ü to image 5 ü" in errors[-1]
    assert repaired(store, whole, monkeypatch) == [3, 4, 5]


def test_a_cut_shard_keeps_the_images_before_the_cut(
    store: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Manifest.read(store).layout
    path = shard_of(store, layout, IMAGE, STRIDE)
    with path.open("r+b") as file:
        file.truncate(layout.slot(IMAGE, STRIDE) + 100)
    opened = FeatureStore(store)
    opened.read(3)
    with pytest.raises(FeatureStoreError, match=r"image 4 ü, OS=8: the chunk is cut"):
        opened.read(4)
    assert repaired(store, whole, monkeypatch) == [4, 5]


def test_a_lost_index_hurts_other_readers_only_and_is_mended_without_computing(
    store: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shard_of(store, Manifest.read(store).layout, IMAGE, STRIDE)
    patch(path, path.stat().st_size - 9, b"\1\2\3")
    opened = FeatureStore(store)
    opened.read(IMAGE)
    with pytest.raises(FeatureStoreError, match=r"OS=8: the shard of the images image 3 ü to image 5 ü"):
        opened.verify()
    assert repaired(store, whole, monkeypatch) == []


@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
def test_stale_consolidated_metadata_are_never_trusted(store: Path, whole: Path) -> None:
    expected = FeatureStore(store).read(IMAGE)
    zarr.consolidate_metadata(store_path(store))
    FeatureStore(store).verify()
    group = store_path(store) / "zarr.json"
    stale = json.loads(group.read_text())
    stale["consolidated_metadata"]["metadata"]["os8"]["shape"][0] = 99
    group.write_text(json.dumps(stale))
    opened = FeatureStore(store)
    assert all((opened.read(IMAGE)[stride] == maps).all() for stride, maps in expected.items())
    with pytest.raises(FeatureStoreError, match="OS=8: the consolidated metadata of the group contradict"):
        opened.verify()


@pytest.mark.parametrize("change", [{"shape": [9, 48, 8, 12]}, {"data_type": "float32", "fill_value": 0.0}])
def test_an_array_of_another_layout_is_refused(store: Path, change: dict) -> None:
    path = store_path(store) / "os8" / "zarr.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FeatureStoreError, match="OS=8: the array differs from what its manifest says"):
        FeatureStore(store)


def test_lost_array_metadata_are_written_anew(
    store: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store_path(store) / "os8" / "zarr.json").unlink()
    with pytest.raises(FeatureStoreError, match="OS=8: no readable array"):
        FeatureStore(store)
    assert repaired(store, whole, monkeypatch) == []


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_lost_group_metadata_are_written_anew(
    store: Path, whole: Path, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_path(store) / "zarr.json"
    path.write_text(text) if text else path.unlink()
    with pytest.raises(FeatureStoreError, match="the metadata of the group cannot be read"):
        FeatureStore(store).verify()
    assert repaired(store, whole, monkeypatch) == []


def test_a_store_copied_to_anothers_place_is_refused(store: Path, tmp_path: Path) -> None:
    other = run(tmp_path / "other", token="of other settings", dtype="float16", seed=1, precision="bfloat16")
    shutil.rmtree(store_path(store))
    shutil.copytree(store_path(other), store_path(store))
    with pytest.raises(FeatureStoreError, match="not the store that mini"):
        FeatureStore(store)


def test_a_shard_copied_from_another_store_is_refused(store: Path, tmp_path: Path) -> None:
    other = run(tmp_path / "other", precision="bfloat16")
    layout = Manifest.read(store).layout
    shutil.copy(shard_of(other, layout, IMAGE, STRIDE), shard_of(store, layout, IMAGE, STRIDE))
    with pytest.raises(FeatureStoreError, match=r"image 4 ü, OS=8: the stored map is not the one"):
        FeatureStore(store).read(IMAGE)


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PAR1"), None])
def test_a_lost_table_of_digests_is_refused(store: Path, harm: Callable | None, whole: Path) -> None:
    table = store_path(store) / "maps.parquet"
    if harm:
        harm(table)
    else:
        shutil.rmtree(store_path(store))
    with pytest.raises(FeatureStoreError, match=r"maps\.parquet"):
        FeatureStore(store)
    store.unlink()
    run(store.parent)
    assert Manifest.read(store) == Manifest.read(whole)


def test_a_moved_project_keeps_its_store(store: Path, tmp_path: Path) -> None:
    moved = tmp_path.with_name("moved büro")
    shutil.move(tmp_path, moved)
    FeatureStore(moved / store.name).verify()
    for path in moved.rglob("*"):
        assert not path.is_file() or str(tmp_path).encode() not in path.read_bytes()


def test_other_tools_read_the_store(store: Path) -> None:
    """zarr-python itself, by shards, by images, checksums included."""
    opened = FeatureStore(store)
    group = zarr.open_group(store_path(store), mode="r")
    for index in range(IMAGES):
        for stride, maps in opened.read_stored(index).items():
            assert (group[f"os{stride}"][index] == maps).all()
    assert group["os8"][:].shape == (IMAGES, 48, 8, 12)
    assert len(list((store_path(store) / "os8" / "c").iterdir())) == -(-IMAGES // SHARD)
    layout = opened.manifest.layout
    flip_a_bit(shard_of(store, layout, IMAGE, 8), layout.slot(IMAGE, 8), layout.map_bytes(8))
    with pytest.raises(ValueError, match="checksum"):
        group["os8"][IMAGE]


def test_a_slot_that_was_never_written_is_nothing(tmp_path: Path) -> None:
    """A hole reads as zeros, and zeros fail their CRC32C."""
    extracting = job(tmp_path)
    layout: StoreLayout = extracting.layout
    with extracting._store(range(1)) as partial:
        maps = {s: layout.element.encode(torch.zeros(shape)) for s, shape in layout.shapes.items()}
        partial.write(0, maps)
        assert partial.missing == [1, 2]
        assert partial._intact(0, by_sha256=True)
        partial._maps[1] = partial._maps[0]
        assert not partial._intact(1, by_sha256=False)
