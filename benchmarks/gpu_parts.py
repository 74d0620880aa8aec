"""The parts of benchmarks/gpu_check.py, and the process that runs them one after another.

A part imports what it needs when it runs: where a package is missing, the parts without it still run.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from training_results import FUSED, MASTER, MODELS, Task

ROOT = Path(__file__).parents[1]
AUXILIARY = MODELS[1]
PACKAGES = ("torch", "transformers", "timm", "lightning", "numpy", "triton")


@dataclass(frozen=True)
class Setting:
    """Where and how the parts run: on ``cuda`` or ``cpu``; ``tiny``: to see whether they run at all."""

    device: str
    tiny: bool


@dataclass(frozen=True)
class Part:
    """One measurement; ``seconds``: the longest it may take."""

    title: str
    run: Callable[[Setting], dict[str, Any]]
    seconds: float = 90


@dataclass(frozen=True)
class Variant:
    """Switches that the same results can be had with."""

    channels_last: bool = False
    compiled: bool = False


VARIANTS = {
    "as it is": Variant(),
    "channels-last": Variant(channels_last=True),
    "compiled": Variant(compiled=True),
    "channels-last, compiled": Variant(channels_last=True, compiled=True),
}


class UnableError(Exception):
    """What a part needs is not there."""


def machine(setting: Setting) -> dict[str, Any]:
    """What the other parts run on."""
    import torch

    found: dict[str, Any] = {"device": "CPU", "versions": versions(), "python": platform.python_version()}
    found["compiler"] = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if setting.device == "cuda":
        if not torch.cuda.is_available():
            raise UnableError(
                f"torch {torch.__version__} sees no CUDA device here; take another Python with "
                "GPU_PYTHON=..., or see with --device cpu --tiny whether the parts run"
            )
        card = torch.cuda.get_device_properties(0)
        found |= {"device": card.name, "memory": card.total_memory, "cuda": torch.version.cuda}
        torch.ones(1, device="cuda").sum().item()  # a card that torch sees but cannot use ends here
    return found


def versions() -> dict[str, str]:
    return {name: found.version for name in PACKAGES if (found := installed(name))}


def installed(name: str) -> importlib.metadata.Distribution | None:
    return next(iter(importlib.metadata.distributions(name=name)), None)


def gpu_tests(setting: Setting) -> dict[str, Any]:
    """The tests that are marked ``gpu``; pytest's plug-ins are not needed."""
    if not installed("pytest"):
        raise ModuleNotFoundError(name="pytest")
    found = sorted(ROOT.glob("tests/unit/**/test_*.py"))
    files = [str(path.relative_to(ROOT)) for path in found if "pytest.mark.gpu" in path.read_text("utf-8")]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "-o", "addopts="]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines() or ["pytest said nothing"]
    if done.returncode:
        shown = [line for line in lines if line.startswith(("FAILED", "ERROR", "E  "))][:3]
        raise RuntimeError(f"pytest -m gpu: {'; '.join([*shown, lines[-1]])}")
    return {"files": files, "summary": lines[-1].strip("= ")}


def model_task(setting: Setting, model: str, variant: Variant) -> Task:
    from training_models import SIZES

    on_gpu = setting.device == "cuda"
    size = "miniature" if setting.tiny else "full"
    backend = "eager" if setting.tiny else "inductor"  # the first needs no compiler and little time
    return Task(
        model=model,
        size=size,
        batch=SIZES[size].batch,
        crop=(128, 128) if setting.tiny else SIZES[size].crop,
        device=setting.device,
        precision="bf16-mixed" if on_gpu else "32-true",
        steps=1 if setting.tiny else 10,
        seed=1,
        compiled=backend if variant.compiled else "",
        channels_last=variant.channels_last,
        auxiliary_bfloat16=False,
        threads=min(8, os.cpu_count() or 1) if on_gpu else 1,
    )


def training(setting: Setting, model: str, variant: Variant) -> dict[str, Any]:
    """A training step and an inference; operations are counted of the model as it is."""
    from training import measure

    task = model_task(setting, model, variant)
    found = measure(task, count=variant == Variant())
    return {"task": asdict(task), "measured": asdict(found)}


def metrics(setting: Setting, workload: str) -> dict[str, Any]:
    from metrics import rates_on

    size, repeats = ((128, 256), 1) if setting.tiny else ((1024, 2048), 3)
    alone, with_floors, off = rates_on(setting.device, workload, size, repeats)
    return {"workload": workload, "size": size, "alone": alone, "with_floors": with_floors, "off": off}


def extraction(setting: Setting, architecture: str, miniature: str) -> dict[str, Any]:
    from features import compare_times, settings_of

    name, images, size = (miniature, 4, (64, 128)) if setting.tiny else (architecture, 16, (1024, 2048))
    settings = settings_of(batch=2, threads=min(8, os.cpu_count() or 1))
    with tempfile.TemporaryDirectory() as folder:
        done = compare_times(name, Path(folder), settings, images, size, turns=1 if setting.tiny else 3)
    return {
        "architecture": name,
        "size": size,
        "precision": settings.precision,
        "images_per_second": 1 / done.ours,
        "bare_loop": 1 / done.peer,
        "ratio": done.ratio,
    }


def resumed(setting: Setting) -> dict[str, Any]:
    from gpu_engine import killed_and_resumed

    return killed_and_resumed(setting.device, setting.tiny)


def group(setting: Setting) -> dict[str, Any]:
    from gpu_engine import group_of_one

    return group_of_one(setting.device, setting.tiny)


def trained(model: str, variant: str, seconds: float) -> dict[str, Part]:
    part = Part(f"{model}, {variant}", partial(training, model=model, variant=VARIANTS[variant]), seconds)
    return {f"training of {model}, {variant}": part}


PARTS: Mapping[str, Part] = {
    "machine": Part("the machine", machine, 60),
    "tests": Part("the GPU tests", gpu_tests, 150),
    **trained(MASTER, "as it is", 120),
    **trained(FUSED, "as it is", 120),
    **trained(AUXILIARY, "as it is", 120),
    **{
        f"metrics, {name}": Part(f"SC and EF, {name}", partial(metrics, workload=name))
        for name in ("vit", "hiera", "dense")
    },
    "extraction, DINOv3-B": Part(
        "extraction, DINOv3-B", partial(extraction, architecture="dinov3_vitb16", miniature="mini_vit")
    ),
    "extraction, SAM 2 B+": Part(
        "extraction, SAM 2 B+", partial(extraction, architecture="sam2_hiera_bplus", miniature="mini_hiera")
    ),
    "resumed": Part("a run killed and resumed", resumed, 120),
    "group": Part("a process group of one", group),
    **trained(MASTER, "channels-last", 90),
    **trained(FUSED, "channels-last", 90),
    **trained(MASTER, "compiled", 180),
    **trained(FUSED, "compiled", 180),
    **trained(MASTER, "channels-last, compiled", 180),
    **trained(FUSED, "channels-last, compiled", 180),
}
"""In the order in which they run: what matters most comes first."""


def attempt(name: str, setting: Setting) -> dict[str, Any]:
    """Runs a part; what keeps it from its end becomes part of the record."""
    started = time.monotonic()
    try:
        record = {"state": "done", "reason": "", "found": PARTS[name].run(setting)}
    except UnableError as error:
        record = {"state": "not run", "reason": str(error)}
    except ModuleNotFoundError as error:
        record = {"state": "not run", "reason": f"it needs the package {error.name!r}, which is not there"}
    except Exception as error:
        traceback.print_exc()
        said = str(error).strip().splitlines() or [""]
        record = {"state": "failed", "reason": f"{type(error).__name__}: {said[0][:300]}"}
    return {"seconds": time.monotonic() - started, "peak_bytes": peak(setting), **record}


def peak(setting: Setting) -> int | None:
    """The most that torch has allocated on the GPU in this part; None on a CPU, where it means no part."""
    torch = sys.modules.get("torch")
    return torch.cuda.max_memory_allocated() if torch and setting.device == "cuda" else None


def serve(names: Connection, setting: Setting) -> None:
    """Runs the parts that it is told, until it is told none, in a process group of its own."""
    os.setsid()
    while name := names.recv():
        torch = sys.modules.get("torch")
        if torch is not None:
            torch._dynamo.reset()
            gc.collect()
            if setting.device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
        names.send(attempt(name, setting))
