"""Measures the feature upsamplers beside bilinear interpolation: time, memory, growth with the output.

    python benchmarks/upsamplers.py                                 # 28 -> 112, 224, 448; minutes
    python benchmarks/upsamplers.py --sizes 896 --upsamplers naf    # as large as published
    python benchmarks/upsamplers.py --device cuda --precision bfloat16

Maps of 384 channels, 28 x 28, of an image of 448 x 448, with weights as initialised, on which time does not
depend. Every line says seconds (the least of the repeats; on a CPU, of its time), times bilinear, MiB at the
peak beyond the result, measured and predicted before the run, and what was published for a GPU, the result
included. The exit status is 1 where a run takes more than was predicted, or more than 2 GiB beyond a result
of 896 x 896 or less.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.upsampling.build import build_upsampler, count_parameters
from vfm_fusion.upsampling.memory import predict

MIB = 2**20
BOUND, SLACK = 2048 * MIB, 64 * MIB
"""Promised beyond the result; what an allocator may hold back between two tensors."""
PUBLISHED = {
    ("jbu", 448): (57, 2_674),
    ("anyup", 448): (182, 6_163),
    ("jafar", 448): (108, 5_411),
    ("naf", 448): (56, 1_787),
    ("anyup", 896): (744, 24_600),
    ("jafar", 896): (583, 21_300),
    ("naf", 896): (268, 7_100),
}
"""Upsampler and side of the output -> milliseconds and peak MB on a GPU, from a map of 28 x 28 x 384."""


@dataclass(frozen=True)
class Task:
    """One measurement: what runs on which machine."""

    name: str
    side: int
    channels: int
    grid: int
    image: int
    precision: str
    device: str
    threads: int
    repeats: int


@dataclass(frozen=True)
class Found:
    """Seconds of the fastest run, and bytes beyond the result: at the peak, and as predicted."""

    seconds: float
    beyond: int
    predicted: int


def resident(key: str) -> int:
    """Reads a figure of this process in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key))) * 1024


def reset_peak(device: str) -> int:
    """Makes the peak of memory start from what is in use now, and returns that in bytes."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resident("VmRSS")


def peak(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device != "cpu" else resident("VmHWM")


def measure(task: Task) -> Found:
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    dtype = getattr(torch, task.precision)
    upsampler = build_upsampler(task.name, task.channels).eval().requires_grad_(False)
    upsampler = upsampler.to(task.device, dtype)
    features = torch.randn(1, task.channels, task.grid, task.grid, device=task.device, dtype=dtype)
    image, size = torch.randn(1, 3, task.image, task.image, device=task.device), (task.side, task.side)
    needed = predict(upsampler, tuple(features.shape), tuple(image.shape[-2:]), size, dtype)
    small = task.grid // 2  # what libraries set up once
    upsampler.up(
        features[..., :small, :small], image[..., : task.image // 4, : task.image // 4], (small, small)
    )
    clock = time.process_time if task.device == "cpu" else time.perf_counter
    seconds, beyond = float("inf"), 0
    for _ in range(task.repeats):
        before, start = reset_peak(task.device), clock()
        made = upsampler.up(features, image, size)
        if task.device != "cpu":
            torch.cuda.synchronize()
        seconds = min(seconds, clock() - start)
        beyond = max(beyond, peak(task.device) - before - made.numel() * made.element_size())
        del made
    return Found(seconds, max(0, beyond), needed.beyond)


def isolated(task: Task) -> Found:
    """Measures in a fresh process, so that no other upsampler's memory counts."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(task.threads)))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"  # what is freed is given back, and no longer counts
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, task).result()


def missed(task: Task, found: Found) -> str:
    """What a run exceeds; empty where nothing."""
    if found.beyond > found.predicted + SLACK:
        return "more than predicted"
    return "more than 2 GiB" if task.side <= 896 and found.beyond > BOUND else ""


def compare(options: argparse.Namespace, side: int) -> list[str]:
    """Prints the lines of one output size, and returns what was missed."""
    print(f"\n{options.grid} -> {side}, {options.channels} channels, image {options.image} x {options.image}")
    print(
        f"{'':12}{'parameters':>11}{'seconds':>10}{'x bilinear':>11}{'MiB':>7}{'predicted':>11}"
        f"   {'published, GPU'}"
    )
    base, problems = 0.0, []
    for name in dict.fromkeys(("bilinear", *options.upsamplers)):
        task = Task(
            name,
            side,
            options.channels,
            options.grid,
            options.image,
            options.precision,
            options.device,
            options.threads,
            options.repeats,
        )
        found = isolated(task)
        base = base or found.seconds
        ms, mb = PUBLISHED.get((name, side), (None, None))
        theirs = f"{ms} ms, {mb:,} MB" if ms else ""
        print(
            f"{name:12}{count_parameters(name, options.channels):11,}{found.seconds:10.3f}"
            f"{found.seconds / base:11.1f}{found.beyond / MIB:7.0f}{found.predicted / MIB:11.0f}   {theirs}",
            flush=True,
        )
        if missed(task, found):
            problems.append(f"{name} at {side}: {missed(task, found)}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--upsamplers", nargs="+", default=list(UPSAMPLERS), choices=UPSAMPLERS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[112, 224, 448])
    parser.add_argument("--channels", type=int, default=384)
    parser.add_argument("--grid", type=int, default=28)
    parser.add_argument("--image", type=int, default=448)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    where = torch.cuda.get_device_name() if options.device != "cpu" else f"CPU, {options.threads} thread(s)"
    print(f"{where}, {options.precision}")
    problems = [problem for side in options.sizes for problem in compare(options, side)]
    if problems:
        sys.exit("missed: " + "; ".join(problems))


if __name__ == "__main__":
    main()
