"""Measures the feature cache against what it could cost at the least: time, reading, memory, disk, opening.

    python benchmarks/features.py                            # small encoders, a few minutes
    python benchmarks/features.py --encoders dinov3_vitb16   # a full-size encoder (seeded weights)

Every line says ours, the peer and the limit that the project holds itself to; the exit status is 1 where one
is missed. On a GPU (where torch finds one) the encoder runs under bfloat16, and so does the peer.

- extraction: decoding PNG files, encoding, writing, checking and publishing a store, against the bare loop
  ``encoder(batch)`` over the same images already in memory. The two take turns; the median ratio counts.
  Decoding and writing need a core beside the encoder's; the CPU time of the main thread says what the ratio
  is where there is one to spare.
- reading: bytes per second of CPU time, checked, against copying them out of a memory-mapped array that is
  opened for the purpose, as a job does that looks at every map once; then the same into float32;
  zarr-python's own reader beside them. All of it is in the page cache.
- memory: peak of an extraction of 200 images over that of 20.
- disk: bytes per image against storing a map at each of the four strides.
- opening: the store of 118,287 images (COCO train 2017) at four strides: its manifest and table of digests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import zarr
from PIL import Image
from torch import Tensor

from vfm_fusion.config.base import STRIDES
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.images import read_image
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.pyramid import nearest_stride
from vfm_fusion.features.digests import MapTable
from vfm_fusion.features.encode import encode
from vfm_fusion.features.extract import Extraction, Source
from vfm_fusion.features.layout import StoreLayout
from vfm_fusion.features.locks import store_lock
from vfm_fusion.features.manifest import Manifest, store_path
from vfm_fusion.features.partial import PartialStore, prepare_store
from vfm_fusion.features.profiled import image_tensor
from vfm_fusion.features.shards import flush
from vfm_fusion.features.space import used_bytes
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.workflow.environment import set_process_defaults

TIME_LIMIT, READ_LIMIT, MEMORY_LIMIT = 1.10, 0.5, 1.1
COCO_TRAIN = 118_287
SIZE = (512, 1024)
READ = {
    "plain ViT": {16: (768, SIZE[0] // 16, SIZE[1] // 16)},
    "Hiera": {s: (28 * s, SIZE[0] // s, SIZE[1] // s) for s in STRIDES},
}
"""Stores that are read: native stride -> (C, h, w) of the base-size encoders."""


class Photos:
    """PNG files behind what extraction uses of a data set; a few files serve as many images."""

    def __init__(self, folder: Path, count: int, size: tuple[int, int], files: int = 8) -> None:
        rng = np.random.default_rng(0)
        self._paths = [folder / f"{number}.png" for number in range(min(files, count))]
        for path in self._paths:
            if not path.exists():
                coarse = rng.integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
                image = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))
                Image.fromarray(image + rng.integers(0, 8, image.shape, dtype=np.uint8)).save(path)
        self.ids = tuple(f"image {number}" for number in range(count))
        self._size = size

    def __len__(self) -> int:
        return len(self.ids)

    def size_of(self, index: int) -> tuple[int, int]:
        return self._size

    def image(self, index: int) -> np.ndarray:
        return read_image(self._paths[index % len(self._paths)])


def extraction(
    folder: Path, photos: Photos, encoder: Encoder, settings: FeaturesConfig
) -> tuple[Extraction, Path]:
    """An extraction into ``folder`` and the manifest it will write."""
    manifest = folder / "store.zarr.manifest.json"
    source = Source("photos", "encoder", encoder.spec.architecture, "untrained", "seed-1")
    return Extraction(photos, encoder, source, settings, "token", manifest, folder / "state"), manifest


def seeded(architecture: str) -> Encoder:
    return build_encoder(
        EncoderConfig(architecture=architecture, weights=SeededWeights(source="seeded", seed=1))
    )


def settings_of(batch: int, threads: int) -> FeaturesConfig:
    precision = "bfloat16" if torch.cuda.is_available() else "float32"
    return FeaturesConfig(batch_size=batch, precision=precision, shard_images=8, threads=threads)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def bare_loop(encoder: Encoder, batches: list[Tensor], settings: FeaturesConfig, layout: StoreLayout) -> None:
    for batch in batches:
        encode(encoder, batch, settings, layout)


def quietly(job: Extraction) -> None:
    with redirect_stderr(StringIO()):
        job.run()


@dataclass(frozen=True)
class Extracted:
    """An extraction beside the bare loop: seconds an image of the last turn, medians of all; its store."""

    architecture: str
    ours: float
    peer: float
    ratio: float
    main_thread: float
    manifest: Path

    def __str__(self) -> str:
        return (
            f"  extraction, {self.architecture:18} {self.ours:8.3f} s/image  bare loop {self.peer:8.3f}  "
            f"ratio {self.ratio:5.2f} (limit {TIME_LIMIT}); CPU of the main thread {self.main_thread:.2f}"
        )


def compare_times(
    architecture: str, folder: Path, settings: FeaturesConfig, images: int, size: tuple[int, int], turns: int
) -> Extracted:
    """Times extractions of images of a size (H, W) in turns with the bare loop."""
    torch.set_num_threads(settings.threads)
    encoder = seeded(architecture)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    photos, batch = Photos(folder, images, size), settings.batch_size
    loaded = [image_tensor(photos.image(index)) for index in range(len(photos))]
    batches = [torch.cat(loaded[start : start + batch]) for start in range(0, len(loaded), batch)]
    layout = extraction(folder, photos, encoder, settings)[0].layout
    bare_loop(encoder, batches[:1], settings, layout)
    ratios, busy, ours, peer = [], [], 0.0, 0.0
    for turn in range(turns):
        job, manifest = extraction(folder / f"{architecture}-{turn}", photos, encoder, settings)
        start = time.thread_time()
        peer = seconds(lambda: bare_loop(encoder, batches, settings, layout))
        middle = time.thread_time()
        ours = seconds(lambda job=job: quietly(job))
        ratios.append(ours / peer)
        busy.append((time.thread_time() - middle) / (middle - start))
    seconds_an_image = ours / len(photos), peer / len(photos)
    medians = statistics.median(ratios), statistics.median(busy)
    return Extracted(architecture, *seconds_an_image, *medians, manifest)


def filled_store(folder: Path, shapes: dict[int, tuple[int, int, int]], images: int) -> Path:
    """Writes a store of random maps, as an extraction does, and returns its manifest."""
    layout = StoreLayout(images, shapes, "float16", shard_images=8)
    ids, manifest = tuple(map(str, range(images))), folder / "store.zarr.manifest.json"
    generator = torch.Generator().manual_seed(0)
    with store_lock(folder / "state") as lock:
        building = folder / "state" / "store.zarr"
        prepare_store(building, store_path(manifest), layout, "identity", range(layout.shards), lock)
        with closing(PartialStore(building, layout, ids, range(layout.shards))) as store:
            for index in range(images):
                maps = {s: torch.randn(shape, generator=generator) for s, shape in shapes.items()}
                store.write(index, {s: layout.element.encode(features) for s, features in maps.items()})
            content = store.publish(store_path(manifest)).content
    names = dict(dataset="d", encoder="e", architecture="a", pretraining="p", weights="w", token="t")
    sizes = dict(fit=None, image_size=SIZE, input_size=SIZE, images=images, shard_images=8, shapes=shapes)
    Manifest(**names, **sizes, precision="float32", dtype="float16", content=content).write(manifest)
    return manifest


def compare_reading(folder: Path, name: str, images: int, repeats: int) -> float:
    """Rate of checked reads over that of copies out of a memory-mapped array of the same bytes."""
    store = FeatureStore(filled_store(folder, READ[name], images))
    arrays = {s: zarr.open_array(store.path / f"os{s}", mode="r") for s in store.manifest.shapes}
    paths = {stride: folder / f"raw{stride}.npy" for stride in arrays}
    for stride, array in arrays.items():
        raw = np.lib.format.open_memmap(paths[stride], "w+", array.dtype, array.shape)
        for index in range(images):
            raw[index] = array[index]
        raw.flush()
        with paths[stride].open("r+b") as file:
            flush(file.fileno())  # the pages of both come from the disk, as those of a store read back do
    mapped: list[np.ndarray] = []

    def converted(index: int) -> None:
        for array in mapped:
            torch.from_numpy(array[index]).float()

    def copied(index: int) -> None:
        for array in mapped:
            np.array(array[index])

    def zarrs(index: int) -> None:
        for array in arrays.values():
            array[index]

    readers = {
        "stored": store.read_stored,
        "copied": copied,
        "zarr": zarrs,
        "float32": store.read,
        "converted": converted,
    }
    spent: dict[str, list[float]] = {who: [] for who in readers}
    for turn in range(1 + max(5, repeats)):
        for who, read in readers.items():
            start = time.process_time()
            mapped[:] = [np.load(path, mmap_mode="c") for path in paths.values()]
            for index in range(images):
                read(index)
            if turn:  # the first one reads from the disk
                spent[who].append(time.process_time() - start)
    volume = sum(array.nbytes for array in mapped) / 1e9
    rate = {who: volume / statistics.median(values) for who, values in spent.items()}
    print(
        f"  reading,    {name:18} {rate['stored']:8.2f} GB/s    memory map {rate['copied']:8.2f}  ratio "
        f"{rate['stored'] / rate['copied']:5.2f} (limit {READ_LIMIT}); zarr-python {rate['zarr']:.2f}\n"
        f"    as float32                   {rate['float32']:8.2f} GB/s    memory map "
        f"{rate['converted']:8.2f}  ratio {rate['float32'] / rate['converted']:5.2f}",
        flush=True,
    )
    return rate["stored"] / rate["copied"]


def compare_disk(manifest: Path, architecture: str) -> None:
    """Bytes per image against a map of the same type at each of four strides."""
    store = FeatureStore(manifest)
    shapes = store.manifest.shapes
    finest = min(shapes)
    height, width = (finest * side for side in shapes[finest][1:])
    ours = used_bytes(store.path) / len(store)
    naive = 0
    for stride in STRIDES:
        channels = shapes[nearest_stride(list(shapes), stride)][0]
        naive += channels * (height // stride) * (width // stride)
    naive *= store.manifest.layout.element.stored.itemsize
    print(
        f"  disk,       {architecture:18} {ours / 1e6:8.2f} MB/image  all strides "
        f"{naive / 1e6:6.2f}  ratio {ours / naive:5.2f}",
        flush=True,
    )


def peak(architecture: str, count: int, threads: int) -> float:
    """Peak MiB of an extraction of so many images, in a process of its own."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = Photos(folder, count, (256, 512))
        settings = FeaturesConfig(batch_size=4, shard_images=8, threads=threads)
        quietly(extraction(folder, photos, seeded(architecture), settings)[0])
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def compare_memory(architecture: str, counts: tuple[int, int], threads: int) -> float:
    """Peak of the larger number of images over that of the smaller one."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    few, many = (isolated(architecture, count, threads) for count in counts)
    print(
        f"  memory,     {architecture:18} {many:8.0f} MiB at {counts[1]} images, {few:.0f} at {counts[0]}  "
        f"ratio {many / few:5.2f} (limit {MEMORY_LIMIT})",
        flush=True,
    )
    return many / few


def isolated(architecture: str, count: int, threads: int) -> float:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak, architecture, count, threads).result()


def time_opening(folder: Path, images: int) -> None:
    """Seconds to write, and to read and check, the table of digests of a full data set."""
    rng = np.random.default_rng(0)
    ids = [f"{number:012d}" for number in range(images)]
    crc = {stride: rng.integers(0, 2**32, images, dtype=np.uint32) for stride in STRIDES}
    sha = {s: pa.chunked_array([pa.array([rng.bytes(32).hex() for _ in ids])]) for s in STRIDES}
    table = MapTable(ids, crc, sha)
    folder.mkdir()
    wrote = seconds(lambda: table.write(folder, "identity"))
    read = seconds(lambda: MapTable.read(folder, STRIDES).content)
    size = used_bytes(folder) / 1e6
    print(
        f"  opening,    {images:,} images x {len(STRIDES)} strides: {read:.2f} s "
        f"({wrote:.2f} s to write, {size:.0f} MB)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--encoders", nargs="+", default=["mini_vit", "mini_hiera", "squeezenet1_0"])
    parser.add_argument("--images", type=int, default=48, help="images of an extraction")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--read", type=int, default=96, help="images of a store that is read")
    parser.add_argument("--memory", type=int, nargs=2, default=(20, 200), metavar=("FEW", "MANY"))
    parser.add_argument("--opened", type=int, default=COCO_TRAIN, help="images of the store that is opened")
    options = parser.parse_args()
    set_process_defaults()
    missed = []
    print(f"images {SIZE[0]} x {SIZE[1]}, batches of {options.batch}, {options.threads} thread(s)")
    with tempfile.TemporaryDirectory() as folder_name:
        for architecture in options.encoders:
            folder = Path(folder_name) / architecture
            folder.mkdir()
            settings = settings_of(options.batch, options.threads)
            done = compare_times(architecture, folder, settings, options.images, SIZE, options.repeats)
            print(done, flush=True)
            missed += [f"extraction, {architecture}"] if done.ratio > TIME_LIMIT else []
            compare_disk(done.manifest, architecture)
        for name in READ:
            rate = compare_reading(Path(folder_name) / name, name, options.read, options.repeats)
            missed += [f"reading, {name}"] if rate < READ_LIMIT else []
        growth = compare_memory(options.encoders[0], tuple(options.memory), options.threads)
        missed += ["memory"] if growth > MEMORY_LIMIT else []
        time_opening(Path(folder_name) / "table", options.opened)
    print(f"missed: {', '.join(missed)}" if missed else "all within their limits")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
