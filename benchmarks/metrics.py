"""Times SC and EF of one image at four output strides, beside peers and hardware floors.

    python benchmarks/metrics.py                                  # three workloads, one thread and two
    python benchmarks/metrics.py --released ../metric-guided-fusion   # beside the authors' code, where it is
    python benchmarks/metrics.py --device cuda                    # images per second on an accelerator

Workloads for an image of 1024 x 2048: ``vit``, one native map of 768 channels at OS=16 from which the other
strides are derived; ``hiera``, native maps of 112/224/448/896 channels; ``dense``, four unrelated maps of
768 channels. Each row is the fastest of several runs in a process of its own: CPU seconds (steadier than wall
time on a shared machine), wall seconds, and what the process grew by over its inputs. ``released`` times the
training code of the paper's repository (its SFC, SCS and fast FCD), whose scores are those of the preset
``reference_training``. The floors follow from memory bandwidth and the rate of matrix products, measured in
the same run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from metrics_transcription import transcribed_profile
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.metrics.profile import profile_image
from vfm_fusion.profiles.stored_maps import map_pyramid
from vfm_fusion.workflow.environment import set_process_defaults

STRIDES = (4, 8, 16, 32)
WORKLOADS = {
    "vit": {16: 768},
    "hiera": {4: 112, 8: 224, 16: 448, 32: 896},
    "dense": dict.fromkeys(STRIDES, 768),
}
PRESETS = ("paper", "reference_training")

Maps = dict[int, Tensor]
Method = Callable[[Maps, Tensor], pd.DataFrame | None]


def synthetic(size: tuple[int, int], channels: dict[int, int]) -> tuple[Maps, Tensor]:
    """Makes an image of soft regions and feature maps that follow them, with noise: seeded, any size.

    One channel at a time, so that making the maps takes hardly more memory than holding them.
    """
    height, width = size
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 12, 5, 9, generator=generator)
    maps = {}
    for stride, count in channels.items():
        grid = (height // stride, width // stride)
        regions = F.interpolate(coarse, size=grid, mode="bilinear")[0]  # (12, h, w)
        maps[stride] = torch.empty(1, count, *grid)
        for channel in maps[stride][0]:
            mixing = torch.randn(12, generator=generator)
            noise = 0.3 * torch.randn(grid, generator=generator)
            channel.copy_(torch.einsum("r,rhw->hw", mixing, regions).add_(noise).relu_())
    image = F.interpolate(coarse[:, :3], size=size, mode="bilinear")
    image = image.add_(0.1 * torch.randn(image.shape, generator=generator)).clamp_(0, 1)
    return maps, (255 * image).byte()


def written_out(maps: Maps, size: tuple[int, int]) -> Maps:
    """All four strides as arrays, as the released code takes them."""
    pyramid = {}
    for stride in STRIDES:
        native = maps.get(stride, next(iter(maps.values())))
        grid = (size[0] // stride, size[1] // stride)
        pyramid[stride] = native if stride in maps else F.interpolate(native, size=grid, mode="nearest-exact")
    return pyramid


def ours(maps: Maps, image: Tensor, preset: str, null_draws: int) -> pd.DataFrame:
    config = ProfileConfig(definitions={preset: MetricConfig.of(preset, null_draws=null_draws)})
    native = {stride: features[0] for stride, features in maps.items()}
    return profile_image(map_pyramid(native, config), image, config)


def transcription(maps: Maps, image: Tensor, preset: str) -> pd.DataFrame:
    return transcribed_profile(maps, image, preset)


def released(maps: Maps, image: Tensor, folder: Path) -> None:
    """The released training code: what it computes of SC and EF, without the profiling extras."""
    sys.path.insert(0, str(folder / "mask2former"))
    import vfm_metric_batch as batch
    import vfm_metric_batch_fastter as fast

    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda self: self  # it moves a map to the GPU whatever the device
    for features in maps.values():
        fast.compute_FCD_from_features_fast(features, image.float())
        batch.compute_SFC(features)
        batch.compute_SCS(features)


def fastest(function: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """Returns the least CPU and the least wall seconds."""
    cpu = wall = float("inf")
    for _ in range(repeats):
        start = time.process_time(), time.perf_counter()
        function()
        cpu = min(cpu, time.process_time() - start[0])
        wall = min(wall, time.perf_counter() - start[1])
    return cpu, wall


def measure(
    method: Method, workload: str, size: tuple[int, int], dense: bool, repeats: int
) -> tuple[float, float, float, pd.DataFrame | None]:
    """Returns the least CPU and wall seconds after a first run, MiB of peak growth, and the result."""
    maps, image = synthetic(size, WORKLOADS[workload])
    maps = written_out(maps, size) if dense else maps
    method({stride: features[..., :64, :64] for stride, features in maps.items()}, image[..., :256, :256])
    baseline = reset_peak()
    result = method(maps, image)
    cpu, wall = fastest(lambda: method(maps, image), repeats)
    return cpu, wall, (status("VmHWM") - baseline) / 1024, result


def status(key: str) -> int:
    """Reads a figure of this process in KiB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key)))


def reset_peak() -> int:
    """Makes the peak memory start from what is resident now, and returns that in KiB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return status("VmRSS")


def isolated(threads: int, *arguments: object) -> tuple[float, float, float, pd.DataFrame | None]:
    """Runs ``measure`` in a fresh process with so many threads."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)))
    set_process_defaults()
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def floors(channels: dict[int, int], size: tuple[int, int]) -> tuple[float, float, str]:
    """Seconds of two reads of the maps and of one symmetric covariance each, and what they follow from."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    buffer, square = torch.ones(1 << 27), torch.ones(2048, 2048)
    bandwidth = 4 * buffer.numel() / fastest(buffer.sum)[1]
    rate = 2 * 2048**3 / fastest(lambda: square @ square)[1]
    torch.set_num_threads(threads)
    pixels = {stride: size[0] * size[1] // stride**2 for stride in channels}
    reads = sum(2 * 4 * count * pixels[stride] for stride, count in channels.items()) / bandwidth
    covariance = sum(count**2 * pixels[stride] for stride, count in channels.items()) / rate
    return reads, covariance, f"{bandwidth / 1e9:.1f} GB/s read, {rate / 1e9:.0f} GFLOP/s float32, one thread"


def methods(folder: Path | None) -> dict[str, tuple[Method, bool]]:
    """Name -> what to run, and whether it takes written-out maps."""
    rows: dict[str, tuple[Method, bool]] = {}
    for preset in PRESETS:
        rows[f"ours, {preset}"] = partial(ours, preset=preset, null_draws=0), False
    rows["ours, paper with its null floor"] = partial(ours, preset="paper", null_draws=5), False
    for preset in PRESETS:
        rows[f"transcription, {preset}"] = partial(transcription, preset=preset), True
    if folder is not None:
        rows["released code"] = partial(released, folder=folder.resolve()), True
    return rows


def compare(options: argparse.Namespace, threads: int, workload: str) -> None:
    """Prints one workload: time and memory of every method, the floors, and how far the scores agree."""
    size = tuple(options.size)
    print(
        f"\n{workload}: image {size[0]} x {size[1]}, native maps {WORKLOADS[workload]}, {threads} thread(s)"
    )
    print(f"{'':34}{'CPU s':>9}{'wall s':>9}{'times ours':>12}{'peak MiB':>10}")
    results, base = {}, 0.0
    for name, (method, dense) in methods(options.released).items():
        cpu, wall, peak, results[name] = isolated(threads, method, workload, size, dense, options.repeats)
        base = base or cpu
        print(f"{name:34}{cpu:9.3f}{wall:9.3f}{cpu / base:12.1f}{peak:10.0f}", flush=True)
    reads, covariance, basis = floors(WORKLOADS[workload], size)
    print(f"{'floor: two reads of the maps':34}{reads:9.3f}")
    print(f"{'floor: one symmetric covariance':34}{covariance:9.3f}   ({basis})")
    for preset in PRESETS:
        a, b = (
            results[f"{who}, {preset}"].set_index(["stride", "score"])["value"]
            for who in ("ours", "transcription")
        )
        a = a[a.index.isin(b.index)]  # RankMe is no part of the transcription
        difference = ((a - b).abs() / b.abs()).groupby("score").max()
        print(f"largest relative difference to the transcription, {preset}:")
        print("  " + ", ".join(f"{score} {value:.0e}" for score, value in difference.items()))


def rates_on(
    device: str, workload: str, size: tuple[int, int], repeats: int = 5
) -> tuple[float, float, float]:
    """Returns images per second for the four strides on an accelerator, without null floors and with them,
    and the largest relative difference of a score to the CPU's.
    """
    maps, image = synthetic(size, WORKLOADS[workload])
    moved, there = {stride: features.to(device) for stride, features in maps.items()}, image.to(device)
    off = _scores(moved, there) / _scores(maps, image) - 1
    alone, with_floors = (
        1 / fastest(partial(ours, moved, there, "paper", draws), repeats)[1] for draws in (0, 5)
    )
    return alone, with_floors, float(off.abs().max())


def _scores(maps: Maps, image: Tensor) -> pd.Series:
    return ours(maps, image, "paper", 0).set_index(["stride", "score"])["value"]


def rate_line(workload: str, alone: float, with_floors: float, off: float) -> str:
    return (
        f"{workload:6} {alone:6.2f} images/s, {with_floors:6.2f} with null floors; "
        f"largest relative difference to the CPU: {off:.0e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("H", "W"))
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3, help="runs per row; the fastest counts")
    parser.add_argument("--released", type=Path, help="checkout of the paper's repository")
    parser.add_argument("--device", help="run on this accelerator instead")
    options = parser.parse_args()
    if options.device:
        for workload in options.workloads:
            rates = rates_on(options.device, workload, tuple(options.size), options.repeats)
            print(rate_line(workload, *rates), flush=True)
        return
    for workload in options.workloads:
        for threads in options.threads:
            compare(options, threads, workload)


if __name__ == "__main__":
    main()
