"""Extractions that are killed, split over jobs, refused or out of disk: what is finished stays as it is."""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import multiprocessing
import os
import resource
import shutil
import signal
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path

import numpy as np
import pytest
from stores import IMAGES, Photos, job, run, written

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features import extract as extract_module
from vfm_fusion.features import partial, shards
from vfm_fusion.features.extract import extraction
from vfm_fusion.features.journal import Journal, journal_path
from vfm_fusion.features.manifest import Manifest, store_path
from vfm_fusion.features.partial import PartialStore
from vfm_fusion.features.store import FeatureStore

FORK = multiprocessing.get_context("fork")
CLONE_NEWNS, MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20000, 32, 16384, 1 << 18
"""Of Linux's unshare(2) and mount(2)."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was extracted without interruption."""
    return run(tmp_path_factory.mktemp("whole"))


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_call(owner: object, name: str, number: int) -> None:
    """Has this process killed by the ``number``-th call of a function."""
    function, calls = getattr(owner, name), []

    def counting(*arguments: object, **keywords: object) -> object:
        calls.append(name)
        if len(calls) == number:
            die()
        return function(*arguments, **keywords)

    setattr(owner, name, counting)


def die_in_the_middle_of_a_map() -> None:
    """Half of the bytes of the 14th write reach the file."""
    write, calls = shards.write_at, []

    def half(descriptor: int, data: bytes | memoryview, offset: int) -> None:
        calls.append(offset)
        if len(calls) == 14:
            write(descriptor, memoryview(data)[: len(data) // 2], offset)
            die()
        write(descriptor, data, offset)

    shards.write_at = half


def die_in_the_middle_of_a_line() -> None:
    append = Journal._append

    def cut(self: Journal, entry: dict[str, object]) -> None:
        if "image" in entry and entry["image"] == Photos().ids[4]:
            self._file.write(json.dumps(entry)[:40])
            self._file.flush()
            die()
        append(self, entry)

    Journal._append = cut


MOMENTS = {
    "before the first map": (bind(die_at_call, PartialStore, "write", 1), range(7)),
    "between maps and journal": (bind(die_at_call, Journal, "wrote", 4), range(3, 7)),
    "in a map": (die_in_the_middle_of_a_map, None),
    "in a line of the journal": (die_in_the_middle_of_a_line, range(4, 7)),
    "while a shard is flushed": (bind(die_at_call, partial, "flush", 6), range(6, 7)),
    "before the store is renamed": (bind(die_at_call, partial, "remove_journals", 1), range(0)),
    "before the manifest": (bind(die_at_call, Manifest, "write", 1), range(0)),
}


def killed(prepare: Callable[[], None], folder: Path, **settings: object) -> None:
    """Runs an extraction in a process of its own, which SIGKILL ends."""

    def child() -> None:
        prepare()
        run(folder, **settings)

    process = FORK.Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def assert_same_store(found: Path, expected: Path) -> None:
    """Manifests, and every file of the stores, byte by byte."""
    assert found.read_bytes() == expected.read_bytes()
    FeatureStore(found).verify()
    names = sorted(path.relative_to(store_path(expected)) for path in store_path(expected).rglob("*"))
    assert sorted(path.relative_to(store_path(found)) for path in store_path(found).rglob("*")) == names
    for name in names:
        path = store_path(expected) / name
        if path.is_file() and name.name != "zarr.json":
            assert (store_path(found) / name).read_bytes() == path.read_bytes(), name


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_extraction_is_finished_by_the_same_command(
    moment: str, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, missing = MOMENTS[moment]
    killed(prepare, tmp_path)
    assert not (tmp_path / whole.name).exists()
    seen = written(monkeypatch)
    assert_same_store(run(tmp_path), whole)
    if missing is not None:
        assert seen == list(missing)
    assert seen == sorted(set(seen))


def test_several_kills_in_a_row_lose_nothing(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        killed(bind(die_at_call, PartialStore, "write", 3), tmp_path)
    seen = written(monkeypatch)
    assert_same_store(run(tmp_path), whole)
    assert seen == [6]


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_any_number_of_parts_gives_the_same_store(
    parts: int, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in any order, with more parts than shards, and joined without writing or reading a map again."""
    for part in reversed(range(1, parts + 1)):
        job(tmp_path).run_part(part, parts)
    assert not (tmp_path / whole.name).exists()
    seen = written(monkeypatch)
    monkeypatch.setattr(partial, "read_map", die)
    assert_same_store(run(tmp_path), whole)
    assert seen == []


def test_parts_that_run_side_by_side_give_the_same_store(tmp_path: Path, whole: Path) -> None:
    processes = [FORK.Process(target=lambda n=n: job(tmp_path).run_part(n, 3)) for n in (1, 2, 3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert_same_store(run(tmp_path), whole)


def test_a_lost_part_is_made_by_the_job_that_publishes(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(tmp_path).run_part(1, 3)
    job(tmp_path).run_part(3, 3)
    seen = written(monkeypatch)
    assert_same_store(run(tmp_path), whole)
    assert seen == [3, 4, 5]


@pytest.mark.parametrize(
    "settings",
    [{"token": "another"}, {"weights_seed": 2}, {"precision": "bfloat16", "dtype": "float32"}],
    ids=["settings or code", "weights", "precision"],
)
def test_changed_settings_start_anew_and_say_so(
    tmp_path: Path, settings: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    killed(bind(die_at_call, PartialStore, "write", 4), tmp_path)
    seen = written(monkeypatch)
    with caplog.at_level(logging.WARNING):
        manifest = run(tmp_path, **settings)
    assert seen == list(range(IMAGES))
    assert "settings, weights, images or code have changed; extracted anew" in caplog.text
    FeatureStore(manifest).verify()


def test_going_back_to_earlier_settings_finds_the_earlier_store(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A published store stays until its successor is complete."""
    run(tmp_path)
    killed(bind(die_at_call, PartialStore, "write", 4), tmp_path, token="another")
    seen = written(monkeypatch)
    assert_same_store(run(tmp_path), whole)
    assert seen == []


def hold(folder: str, claimed: object, done: object, shards_: range, settings: dict) -> None:
    with job(Path(folder), **settings)._store(shards_):
        claimed.set()
        done.wait(120)


@pytest.mark.parametrize(
    ("held", "settings", "refused"),
    [
        (range(3), {}, lambda folder: run(folder)),
        (range(1, 2), {}, lambda folder: run(folder)),
        (range(1), {}, lambda folder: job(folder).run_part(1, 2)),
        (range(3), {"token": "of other settings"}, lambda folder: run(folder)),
    ],
)
def test_a_second_job_on_one_store_is_refused(
    held: range, settings: dict, refused: Callable[[Path], object], tmp_path: Path, whole: Path
) -> None:
    claimed, done = FORK.Event(), FORK.Event()
    holder = FORK.Process(target=hold, args=(str(tmp_path), claimed, done, held, settings))
    holder.start()
    assert claimed.wait(60)
    with pytest.raises(FeatureStoreError, match="another job is writing this feature store"):
        refused(tmp_path)
    if 2 not in held:
        job(tmp_path).run_part(3, 3)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert_same_store(run(tmp_path), whole)


def test_a_disk_that_cannot_hold_the_store_is_named_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    monkeypatch.setattr(extract_module, "encode_batches", die)
    with pytest.raises(
        FeatureStoreError, match=r"store\.zarr: 7 images.* bytes are still needed, 1,000 are free"
    ):
        run(tmp_path)
    assert "mini on photos, 64 x 96: 7 images, OS 4/8/16/32, float16" in capfd.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failing_disk_is_named_and_what_was_written_stays(
    number: int, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls that fail are those of the operating system, in the thread that writes."""
    pwrite, calls = os.pwrite, []

    def failing(descriptor: int, data: memoryview, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 50:
            raise OSError(number, os.strerror(number))
        return pwrite(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", failing)
        with pytest.raises(
            FeatureStoreError, match=rf"store\.zarr: {os.strerror(number)} while writing; [\d,]+ "
        ):
            run(tmp_path)
    assert not (tmp_path / whole.name).exists()
    seen = written(monkeypatch)
    assert_same_store(run(tmp_path), whole)
    assert 0 < len(seen) < IMAGES


def test_a_limit_of_the_operating_system_on_files_is_named(tmp_path: Path, whole: Path) -> None:
    """A real EFBIG from the kernel, in a process that may not write files as large as a shard."""
    said = FORK.Queue()

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        try:
            run(tmp_path)
        except FeatureStoreError as error:
            said.put(str(error))

    process = FORK.Process(target=limited)
    process.start()
    message = said.get(timeout=60)
    process.join()
    assert "File too large while writing" in message
    assert_same_store(run(tmp_path), whole)


def test_a_full_disk_is_named_and_room_lets_it_finish(tmp_path: Path, whole: Path) -> None:
    """A real ENOSPC: a file system of 128 kB, in a mount namespace of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    said = FORK.Queue()

    def mount(options: str, flags: int = 0) -> int:
        return libc.mount(b"tmpfs", str(tmp_path).encode(), b"tmpfs", flags, options.encode())

    def in_a_small_disk() -> None:
        private = libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        if private or mount("size=128k"):
            said.put(None)
            return
        extract_module.require_space = lambda *_: None  # another job takes the room after the check
        try:
            run(tmp_path)
        except FeatureStoreError as error:
            said.put(str(error))
        mount("size=8m", MS_REMOUNT)
        said.put(Manifest.read(run(tmp_path)).content)

    process = FORK.Process(target=in_a_small_disk)
    process.start()
    message = said.get(timeout=60)
    if message is None:
        process.join()
        pytest.skip("mounting a file system takes the rights of an administrator")
    assert f"{os.strerror(errno.ENOSPC)} while writing; " in message
    assert said.get(timeout=60) == Manifest.read(whole).content
    process.join()


def test_features_do_not_depend_on_where_a_batch_was_cut(tmp_path: Path, whole: Path) -> None:
    """Killed in the middle of a batch, an image is encoded again beside the same images."""
    killed(bind(die_at_call, PartialStore, "write", 5), tmp_path)
    assert journal_path(tmp_path / "state" / "store.zarr", None).read_text().count("\n") == 4
    encoded: list[int] = []
    encode = extract_module.encode_batches

    def spy(encoder: object, images: object, batches: list[range], *rest: object) -> object:
        encoded.extend(position for batch in batches for position in batch)
        return encode(encoder, images, batches, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract_module, "encode_batches", spy)
        assert_same_store(run(tmp_path), whole)
    assert encoded == [3, 4, 5, 6]
    assert np.isfinite(FeatureStore(tmp_path / whole.name).read(4)[8]).all()


@pytest.mark.realdata
def test_a_killed_extraction_of_real_photos_is_finished_identically(realdata: Path, tmp_path: Path) -> None:
    root = realdata / "images" / "camvid"
    camvid = FolderConfig(kind="camvid", root=str(root))
    dataset = open_dataset(camvid, root, index_split(camvid, root, "val", workers=2).frame)
    weights = realdata / "weights/mobilenetv2_100.tf2_mobilenet_v2_1.0_224_ptq.dequant.safetensors"

    def extract(folder: Path) -> Path:
        extracting = extraction(
            dataset=dataset,
            dataset_name="camvid",
            encoder_name="mobilenetv2",
            encoder_config=EncoderConfig(
                architecture="mobilenetv2_100", weights={"source": "file", "path": str(weights)}
            ),
            settings=FeaturesConfig(max_images=14, shard_images=4, batch_size=3),
            token="t",
            manifest_path=folder / "mobilenetv2.zarr.manifest.json",
            state_dir=folder / "state",
        )
        extracting.run()
        return extracting.manifest_path

    def child() -> None:
        die_at_call(Journal, "wrote", 8)
        extract(tmp_path / "killed")

    process = FORK.Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert_same_store(extract(tmp_path / "killed"), extract(tmp_path / "whole"))
