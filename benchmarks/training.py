"""Times a training step and an inference of the fused model against its master alone, and what bounds it.

    python benchmarks/training.py                       # full size on a GPU, in miniature on a CPU
    python benchmarks/training.py --size full --batch 1 --rounds 1 --steps 1     # full size on a CPU
    python benchmarks/training.py --size frozen         # frozen encoders, run or read from a store
    python benchmarks/training.py --profile --models "master alone" fused        # where the time goes

Full size: DINOv3-B with SAM 2's Hiera-B+ at OS 16, crops of 512 x 1024, batch 3, the recipe's head, seeded
weights. A training step is a whole one: forward, the Mask2Former loss with its matching, backward, clipping,
AdamW. Both passes run under ``--precision``. Beside them a plain Mask2Former of transformers with a Swin of
about the master's size, random weights, same crops, batch, queries and points.

Every model runs in a process of its own (memory is the peak of that process, or what torch allocates on the
GPU), and the processes take turns, ``--rounds`` times. On a GPU the median of all steps counts, on a CPU the
CPU time of the fastest one (so images/s are images per second of CPU), which other jobs disturb least.

The compute bound of a model is the master's operations over its own: what its rate over the master's would be
if a second did as many operations of one as of the other. The exit status is 1 where a target is missed.

Size frozen: DINOv2-S alone and with MobileNetV2 at OS 8, both frozen, crops of 320 x 320, batch 2, the head
of experiments/realdata.yaml. A step is one of the whole loop, with all that it reads: fixed views of
generated scenes, decoded and augmented, or their labels alone and what the encoders have left of them in a
store. The bound is then a step's operations with the encoders' over those without.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context

import torch
from torch import nn
from training_frozen import frozen_phases, write_inputs
from training_models import SIZES, precision_of, prepared, step_of
from training_results import (
    FROZEN_RUNS,
    FUSED,
    MASTER,
    MODELS,
    Measured,
    Task,
    faster_lines,
    frozen_lines,
    model_lines,
    ratio_lines,
)

from vfm_fusion.segmentation.cost import peak_bytes
from vfm_fusion.segmentation.flops import count_step_flops
from vfm_fusion.timing import seconds_of
from vfm_fusion.workflow.environment import set_process_defaults

WARM_UP = 3


def phases(task: Task) -> Iterator[tuple[str, Callable[[], object], nn.Module]]:
    """Yields inference (of size frozen: reading) and training, each as one pass or step, and the model."""
    if task.model in FROZEN_RUNS:
        yield from frozen_phases(task)
        return
    model, batch = prepared(task)

    def infer() -> object:
        with torch.inference_mode(), precision_of(task, batch.images.device):
            return model(batch.images)

    yield "inference", infer, model.eval()
    yield "training", step_of(task, model.train(), batch), model


def spent(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of ``run()``: from start to end on a GPU, CPU time of all threads on a CPU."""
    if device.type == "cuda":
        return seconds_of(run, device)
    started = time.process_time()
    run()
    return time.process_time() - started


def measure(task: Task, count: bool) -> Measured:
    """Times a model in this process; also counts its operations where that is asked for."""
    found, device = Measured(), torch.device(task.device)
    for phase, run, model in phases(task):
        for _ in range(WARM_UP if task.device == "cuda" else 1):
            run()
        if task.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        found.seconds[phase] = [spent(run, device) for _ in range(task.steps)]
        found.peak[phase] = peak_bytes(device)
        sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
        found.parameters, found.trainable = sum(n for n, _ in sizes), sum(n for n, t in sizes if t)
    del run, model  # the next one needs their memory
    if count:
        found.flops = operations(task)
    return found


def operations(task: Task) -> dict[str, int]:
    """Counts the operations of one image: of an inference, and of a training step."""
    return {phase: count_step_flops(run) for phase, run, _ in phases(replace(task, batch=1, compiled=""))}


def profiled(task: Task) -> str:
    """Returns the ten most expensive operators of an inference and of a training step."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    order = "self_cpu_time_total"
    if task.device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
        order = "self_device_time_total"
    text = []
    for phase, run, _ in phases(task):
        run()
        with torch.profiler.profile(activities=activities) as profile:
            seconds_of(run, torch.device(task.device))
        rows = profile.key_averages().table(sort_by=order, row_limit=10, max_name_column_width=50)
        text.append(f"{task.model}, {phase}\n{rows}")
    return "\n".join(text)


@contextmanager
def own_process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        yield pool


def measured(tasks: list[Task], rounds: int) -> dict[str, Measured]:
    """Measures every model ``rounds`` times, taking turns."""
    found = {task.model: Measured() for task in tasks}
    for number in range(rounds):
        for task in tasks:
            with own_process() as pool:
                one = pool.submit(measure, task, count=number == 0).result()
            found[task.model].add(one)
            said = ", ".join(f"{phase} {one.rate(phase, task):.3f} images/s" for phase in one.seconds)
            print(f"round {number + 1} of {rounds}, {task.model}: {said}", file=sys.stderr, flush=True)
    return found


def tasks_of(options: argparse.Namespace, folder: str) -> list[Task]:
    size = SIZES[options.size]
    return [
        Task(
            model=model,
            size=options.size,
            batch=options.batch or size.batch,
            crop=size.crop,
            device=options.device,
            precision=options.precision,
            steps=options.steps,
            seed=options.seed,
            compiled=options.compile,
            channels_last=options.channels_last,
            auxiliary_bfloat16=options.auxiliary_bfloat16,
            threads=options.threads,
            folder=folder,
        )
        for model in options.models
    ]


def parsed() -> argparse.Namespace:
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if gpu else "cpu")
    parser.add_argument("--size", choices=SIZES, help="default: full on a GPU, miniature on a CPU")
    parser.add_argument(
        "--models", nargs="+", choices=(*MODELS, *FROZEN_RUNS), help="default: all of the size"
    )
    parser.add_argument("--batch", type=int, help="images of a step; default: 3 at full size, else 2")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), help="default: bf16-mixed on a GPU")
    parser.add_argument(
        "--compile", action="store_const", const="inductor", default="", help="compile the encoders"
    )
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--auxiliary-bfloat16", action="store_true")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each process")
    parser.add_argument("--rounds", type=int, help="processes of each model; default: 1 on a GPU, 3 on a CPU")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch on a CPU")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--profile", action="store_true", help="print the ten most expensive operators instead"
    )
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    options.size = options.size or ("full" if on_gpu else "miniature")
    of_size = tuple(FROZEN_RUNS) if options.size == "frozen" else MODELS
    odd = set(options.models or ()) - set(of_size)
    if odd:
        parser.error(f"size {options.size} has no {', '.join(sorted(odd))}; it has {', '.join(of_size)}")
    options.models = [model for model in of_size if model in (options.models or of_size)]
    options.precision = options.precision or ("bf16-mixed" if on_gpu else "32-true")
    options.rounds = options.rounds or (1 if on_gpu else 3)
    return options


def compared(tasks: list[Task], rounds: int) -> list[str]:
    """Measures models and prints what was found; returns the targets that were missed."""
    found = measured(tasks, rounds)
    if tasks[0].size == "frozen":
        print(*frozen_lines(tasks, found), sep="\n")
        lines, missed = faster_lines(tasks, found)
    else:
        print(*model_lines(tasks, found), sep="\n")
        lines, missed = ratio_lines(tasks, found) if {MASTER, FUSED} <= found.keys() else ([], [])
    if lines:
        print("", *lines, f"missed: {'; '.join(missed)}" if missed else "all targets met", sep="\n")
    return missed


def title(options: argparse.Namespace, first: Task) -> str:
    device = torch.cuda.get_device_name() if first.device == "cuda" else f"CPU, {first.threads} thread(s)"
    switches = [name for name in ("compile", "channels_last", "auxiliary_bfloat16") if getattr(options, name)]
    size = SIZES[first.size]
    crop = f"{first.crop[0]} x {first.crop[1]}"
    settings = ", ".join([f"crops of {crop}", f"batch {first.batch}", first.precision, *switches])
    return f"{first.size}: {size.master} + {size.auxiliary}, {settings}; {device}; GFLOPs of one image"


def main() -> int:
    options = parsed()
    set_process_defaults()
    with tempfile.TemporaryDirectory() as folder:
        tasks = tasks_of(options, folder)
        print(title(options, tasks[0]))
        if options.size == "frozen":
            with own_process() as pool:
                print(pool.submit(write_inputs, tasks[0]).result())
        print(flush=True)
        if options.profile:
            for task in tasks:
                with own_process() as pool:
                    print(pool.submit(profiled, task).result(), flush=True)
            return 0
        return 1 if compared(tasks, options.rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
