"""Times SC and EF of one image at four output strides, beside a plain transcription and hardware floors.

    python benchmarks/metrics.py            # 256 x 512 image, 96-192 channels
    python benchmarks/metrics.py --full     # 1024 x 2048 image, 768 channels

Each row is the fastest of several runs in a process of its own: wall seconds per stride and for all four, CPU
seconds for all four (steadier on a shared machine), and what the process grew by over its inputs. The floors
follow from the memory bandwidth and the rate of matrix products measured in the same run. Set
OMP_NUM_THREADS=1 for the figures of one core.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pandas as pd
import torch
import torch.nn.functional as F
from metrics_transcription import transcribed_profile
from torch import Tensor

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.profile import profile_image

STRIDES = (4, 8, 16, 32)
SMALL = ((256, 512), {4: 96, 8: 192, 16: 192, 32: 192})
FULL = ((1024, 2048), dict.fromkeys(STRIDES, 768))

Case = tuple[tuple[int, int], dict[int, int]]
Clock = Callable[[], float]


def synthetic(case: Case, strides: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
    """Makes an image of soft regions and feature maps that follow them, with noise: seeded, any size.

    One channel at a time, so that making the maps takes hardly more memory than holding them.
    """
    (height, width), channels = case
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 12, 5, 9, generator=generator)
    maps = {}
    for stride in strides:
        size = (height // stride, width // stride)
        regions = F.interpolate(coarse, size=size, mode="bilinear")[0]  # (12, h, w)
        maps[stride] = torch.empty(1, channels[stride], *size)
        for channel in maps[stride][0]:
            mixing = torch.randn(12, generator=generator)
            noise = 0.3 * torch.randn(size, generator=generator)
            channel.copy_(torch.einsum("r,rhw->hw", mixing, regions).add_(noise).relu_())
    image = F.interpolate(coarse[:, :3], size=(height, width), mode="bilinear")
    image = image.add_(0.1 * torch.randn(image.shape, generator=generator)).clamp_(0, 1)
    return maps, (255 * image).byte()


def ours(maps: dict[int, Tensor], image: Tensor) -> pd.DataFrame:
    return profile_image(maps, image, ProfileConfig(strides=tuple(maps)))


def transcription(maps: dict[int, Tensor], image: Tensor) -> pd.DataFrame:
    return transcribed_profile(maps, image)


def fastest(function: Callable[[], object], repeats: int = 5, clock: Clock = time.perf_counter) -> float:
    """Returns the seconds of the fastest run."""
    seconds = float("inf")
    for _ in range(repeats):
        start = clock()
        function()
        seconds = min(seconds, clock() - start)
    return seconds


def hardware() -> tuple[float, float]:
    """Measures bytes per second of reading 512 MiB, and operations per second of a float32 matrix product."""
    buffer, square = torch.ones(1 << 27), torch.ones(2048, 2048)
    return 4 * buffer.numel() / fastest(buffer.sum), 2 * 2048**3 / fastest(lambda: square @ square)


def scan_and_covariance(maps: dict[int, Tensor], image: Tensor) -> None:
    for features in maps.values():
        _ = FeatureMap(features[0]).covariance


def measure(
    function: Callable[[dict[int, Tensor], Tensor], pd.DataFrame | None],
    case: Case,
    strides: tuple[int, ...],
    repeats: int,
) -> tuple[float, float, float, pd.DataFrame | None]:
    """Returns the least wall and CPU seconds after a first run, MiB of peak growth, and the result."""
    maps, image = synthetic(case, strides)
    baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = function(maps, image)
    wall = fastest(lambda: function(maps, image), repeats)
    cpu = fastest(lambda: function(maps, image), repeats, time.process_time)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - baseline
    return wall, cpu, growth / 1024, result


def isolated(*arguments: object) -> tuple[float, float, float, pd.DataFrame | None]:
    """Runs ``measure`` in a fresh process."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="a 1024 x 2048 image with 768 channels")
    parser.add_argument("--repeats", type=int, default=3, help="runs per row; the fastest counts")
    options = parser.parse_args()
    case = FULL if options.full else SMALL
    rows = {
        "ours": ours,
        "NumPy/scikit-learn transcription": transcription,
        "our scan and covariance": scan_and_covariance,
    }
    print(f"image {case[0][0]} x {case[0][1]}, channels {case[1]}, {torch.get_num_threads()} thread(s)\n")
    print(
        f"{'':34}"
        + "".join(f"{f'OS={s}':>10}" for s in STRIDES)
        + f"{'all four':>10}{'CPU':>10}{'peak MiB':>10}"
    )
    profiles = {}
    for name, function in rows.items():
        each = [isolated(function, case, (stride,), options.repeats)[0] for stride in STRIDES]
        total, cpu, peak, profiles[name] = isolated(function, case, STRIDES, options.repeats)
        print(f"{name:34}" + "".join(f"{s:9.4f}s" for s in (*each, total, cpu)) + f"{peak:10.0f}", flush=True)
    (height, width), channels = case
    pixels = {stride: height * width // stride**2 for stride in STRIDES}
    bandwidth, rate = hardware()
    floors = {
        "floor: two reads of the maps": [2 * 4 * channels[s] * pixels[s] / bandwidth for s in STRIDES],
        "floor: one symmetric covariance": [channels[s] ** 2 * pixels[s] / rate for s in STRIDES],
    }
    for name, each in floors.items():
        print(f"{name:34}" + "".join(f"{s:9.4f}s" for s in (*each, sum(each))))
    print(f"\nmeasured: {bandwidth / 1e9:.1f} GB/s read, {rate / 1e9:.0f} GFLOP/s float32")
    a, b = (profiles[name].set_index(["stride", "score"])["value"] for name in list(rows)[:2])
    difference = ((a - b).abs() / b.abs()).groupby("score").max()
    print("largest relative difference between the two implementations, per score:")
    print("  " + ", ".join(f"{score} {value:.1e}" for score, value in difference.items()))


if __name__ == "__main__":
    main()
