"""The training engine on a GPU: killed and resumed, and in a process group of one."""

from __future__ import annotations

import json
import os
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, distributed, nn
from training_models import SIZES

from vfm_fusion.atomic import write_json
from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.registry import index_split
from vfm_fusion.miniature.scenes.generate import generate_with_manifest
from vfm_fusion.segmentation.job import SegmentationJob
from vfm_fusion.timing import seconds_of
from vfm_fusion.training.checkpoints import newest_valid
from vfm_fusion.training.job import JOB_FILE, Job, run_job
from vfm_fusion.training.launch import launch
from vfm_fusion.training.processes import Processes

TOKEN = "gpu-check"
CLOSE = 10.0
"""How many times as far as two undisturbed runs a resumed one may be from one of them."""


def killed_and_resumed(device: str, tiny: bool) -> dict[str, Any]:
    """Trains the fused miniature three times: twice undisturbed, once killed by SIGKILL and resumed.

    Returns:
        ``steps``, ``resumed_from``, ``same_bits``, and the largest difference of a weight: ``resumed``
        against an undisturbed run, ``repeated`` between two of those.

    Raises:
        RuntimeError: the run was not killed in time, or what was resumed is another model.
    """
    steps, every = (4, 1) if tiny else (60, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = street_scenes(folder, (64, 128) if tiny else (256, 512))
        jobs = {
            run: training_job(folder / run, scenes, device, steps, every)
            for run in ("whole", "again", "killed")
        }
        resumed_from = kill_after(jobs["killed"], every)
        for job in jobs.values():
            train_alone(job)
        whole, again, resumed = (load_file(Path(job.out_dir) / "model.safetensors") for job in jobs.values())
    repeated, apart = difference(whole, again), difference(whole, resumed)
    if apart > CLOSE * repeated:
        raise RuntimeError(
            f"resumed from step {resumed_from} of {steps}, a weight is {apart:.1e} from that of an "
            f"undisturbed run; two undisturbed runs are {repeated:.1e} apart"
        )
    return {
        "steps": steps,
        "resumed_from": resumed_from,
        "same_bits": apart == 0,
        "resumed": apart,
        "repeated": repeated,
    }


def street_scenes(folder: Path, size: tuple[int, int]) -> dict[str, Any]:
    """Generates a few street scenes and their index, as a job of training takes them."""
    config = MiniscapesConfig(kind="miniscapes", train=6, val=1, height=size[0], width=size[1])
    target, index = folder / "scenes", folder / "train.parquet"
    generate_with_manifest(config, target=target, manifest_path=folder / "manifest.json", workers=1)
    write_index(index_split(config, target, "train", workers=1).frame, index)
    return {"dataset": config.model_dump(mode="json"), "index": str(index), "generated": str(target)}


def training_job(
    folder: Path, scenes: dict[str, Any], device: str, steps: int, every: int
) -> SegmentationJob:
    size = SIZES["miniature"]
    encoders = {
        name: EncoderConfig(architecture=name, weights=SeededWeights(source="seeded", seed=1))
        for name in (size.master, size.auxiliary)
    }
    height, width = (scenes["dataset"][side] for side in ("height", "width"))
    return SegmentationJob(
        run=RunConfig(master=size.master, auxiliary=size.auxiliary),
        encoders=encoders,
        strides=(16,),
        training=TrainingConfig(
            steps=steps,
            batch_size=2,
            checkpoint_every=every,
            log_every=every,
            precision="bf16-mixed" if device == "cuda" else "32-true",
            deterministic=True,
            augmentation=AugmentationConfig(
                crop=(height // 2, width // 2), scale=RelativeScale(), color="simple"
            ),
            head=size.head,
        ),
        seed=0,
        out_dir=str(folder / "seed0"),
        state_dir=str(folder / "state"),
        maps={},
        upsamplers={},
        token=TOKEN,
        **scenes,
    )


def train_alone(job: SegmentationJob) -> None:
    torch.set_num_threads(1)  # sums in another order would be other bits
    run_job(job, 1, threads=1)


def kill_after(job: SegmentationJob, step: int) -> int:
    """Has a process train and kills it once a checkpoint of ``step`` is there; returns the newest one's."""
    process = get_context("spawn").Process(target=train_alone, args=(job,))
    process.start()
    while process.is_alive() and not list(Path(job.state_dir).glob("*.ckpt")):
        time.sleep(0.002)
    process.kill()
    process.join()
    found = newest_valid(Path(job.state_dir), TOKEN)
    if process.exitcode != -9 or found is None or found.step < step:
        raise RuntimeError(
            f"a training that was to be killed after step {step} ended with {process.exitcode} first"
        )
    return found.step


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of a weight."""
    if one.keys() != other.keys():
        raise RuntimeError(f"other weights: {sorted(one.keys() ^ other.keys())[:3]}")
    return max(float((one[name] - other[name]).abs().max()) for name in one)


class Collectives(Job):
    """Exchanges tensors and a gradient in a process group, as training does on several GPUs.

    Attributes:
        megabytes: size of the tensor that is summed.
    """

    megabytes: int

    def train(self, processes: Processes) -> None:
        """Writes what it finds to ``collectives.json``."""
        tensor = torch.ones(self.megabytes * 250_000, device=processes.device)
        distributed.all_reduce(tensor)
        seconds = min(seconds_of(lambda: distributed.all_reduce(tensor), processes.device) for _ in range(5))
        if float(tensor[0]) != processes.count**6:
            raise RuntimeError(f"the sum of ones is {float(tensor[0])}")
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.GELU(), nn.Conv2d(16, 4, 3)).to(processes.device)
        image = torch.rand(2, 3, 64, 64, device=processes.device)
        gradients = []
        for module in (model, nn.parallel.DistributedDataParallel(model)):
            model.zero_grad()
            module(image).square().mean().backward()
            gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        alone, shared = gradients
        nccl = processes.device.type == "cuda"
        found = {
            "backend": f"nccl {'.'.join(map(str, torch.cuda.nccl.version()))}" if nccl else "gloo",
            "processes": processes.count,
            "gigabytes_per_second": tensor.nbytes / seconds / 1e9,
            "gradient_off": float((shared - alone).norm() / alone.norm()),
        }
        write_json(Path(self.out_dir) / "collectives.json", found)


def group_of_one(device: str, tiny: bool) -> dict[str, Any]:
    """Starts one process as those of several GPUs are started; returns what :class:`Collectives` finds.

    Raises:
        RuntimeError: a gradient that went through the group is another one.
    """
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"out_dir": name, "state_dir": name, "token": TOKEN, "megabytes": 4 if tiny else 512}
        told = {"module": "gpu_engine", "class": Collectives.__name__, "settings": settings}
        write_json(folder / JOB_FILE, told)
        launch("vfm_fusion.training.job", [str(folder / JOB_FILE)], 1, threads=1)
        found = json.loads((folder / "collectives.json").read_text(encoding="utf-8"))
    if not found["gradient_off"] < 1e-3:
        raise RuntimeError(f"the gradient differs by {found['gradient_off']:.1e} of its norm")
    return found
