"""What a run's model costs on this machine: parameters, operations, speed, memory (paper, Table 11)."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vfm_fusion.config.cost import FREE_OF_COST, CostConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import ARRANGEMENT, RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.data import Batch
from vfm_fusion.segmentation.finer_maps import UsedUpsampler
from vfm_fusion.segmentation.flops import count_flops
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.task import SegmentationTask
from vfm_fusion.timing import seconds_of
from vfm_fusion.training.learner import Execution, Learner
from vfm_fusion.training.processes import Processes

OBJECTS = 12
"""Objects of each image: boxes of a third of its sides."""


@dataclass(frozen=True)
class CostedModel:
    """The model of a run, and how it is trained.

    Attributes:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name; seeded weights cost what trained ones do.
        strides: injection strides; none without an auxiliary.
        training: the recipe.
        categories: number of classes.
        upsamplers: upsamplers by name; untrained ones cost what trained ones do.
    """

    run: RunConfig
    encoders: Mapping[str, EncoderConfig]
    strides: tuple[int, ...]
    training: TrainingConfig
    categories: int
    upsamplers: Mapping[str, UsedUpsampler] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """All that a measurement depends on, as text: the same for two runs whose models are identical."""
        fused = self.run.auxiliary is not None
        encoders = [self.encoders[name] for name in (self.run.master, self.run.auxiliary) if name]
        parts = {
            "encoders": [encoder.model_dump(exclude={"weights", "label"}) for encoder in encoders],
            "run": self.run.model_dump(exclude={*ARRANGEMENT, "master", "auxiliary", "fusion", "upsampling"}),
            "upsampling": {
                role: self.upsamplers[name].config.model_dump(exclude={"weights", "label"})
                for role, name in self.run.upsampling.used.items()
            },
            "fusion": self.run.fusion.model_dump(exclude={"stride"}) if fused else None,
            "strides": self.strides,
            "training": self.training.model_dump(exclude=set(FREE_OF_COST)),
            "crop": self.training.augmentation.crop,
            "categories": self.categories,
        }
        return json.dumps(parts, sort_keys=True)


def measure_turn(model: CostedModel, cost: CostConfig, threads: int, counts: bool) -> dict[str, Any]:
    """Measures a model once on random images; the process is to be one of its own.

    Inference is one image of ``cost.size`` in float32. Training is what one device does in a whole step of
    the recipe (its crop, its share of the batch in its micro-batches, its precision, a few boxes an image,
    loss, backward pass, optimiser), without what devices tell each other. Both run on the GPU if there is
    one, after one pass or step that is not timed. On a GPU, memory is the most that torch has allocated; on a
    CPU it is the most that the process has ever held resident, libraries included, so that it means this
    model only in a process of its own.

    Args:
        model: the model.
        cost: image size and repetitions.
        threads: threads of torch on a CPU.
        counts: whether parameters and operations are counted too.

    Returns:
        Plain data: ``device``, ``threads``; ``inference`` and ``training``: ``size`` [height, width],
        ``batch``, ``precision``, ``times`` (seconds of every pass or step), ``peak_bytes``; ``training`` also
        ``devices`` and ``accumulate``, the recipe's devices and micro-batches (``batch`` is the images of one
        device in a step). Where they are counted: ``parameters`` (``total, trainable`` and one entry a part
        of the model) and ``flops`` of one inference (likewise, see
        :func:`~vfm_fusion.segmentation.flops.count_flops`).
    """
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = model.training
    built = build_segmenter(
        model.run, model.encoders, model.strides, recipe.head, model.categories, 0, model.upsamplers
    ).to(device)
    size = cost.size or recipe.augmentation.crop
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "threads": threads,
    }
    if counts:
        found["parameters"] = {**built.count_parameters(), **_parameters_by_part(built)}
        found["flops"] = count_flops(built.eval(), torch.rand(1, 3, *size, device=device))
    found["inference"] = _inference(built, size, cost.repeats)
    found["training"] = _training(built, recipe, model.categories, cost.repeats)
    return found


def _parameters_by_part(model: FusedSegmenter) -> dict[str, int]:
    return {
        part: sum(parameter.numel() for parameter in module.parameters())
        for part, module in model.named_children()
    }


def _inference(model: FusedSegmenter, size: tuple[int, int], repeats: int) -> dict[str, Any]:
    model.eval()
    image = torch.rand(1, 3, *size, device=_device(model))
    with torch.inference_mode():
        return _timed(lambda: model(image), image, "32-true", repeats)


def _training(model: FusedSegmenter, recipe: TrainingConfig, categories: int, repeats: int) -> dict[str, Any]:
    share = recipe.batch_size // recipe.devices
    batch = random_batch(share, recipe.augmentation.crop, categories, _device(model))
    step = training_step(model, batch, categories, recipe)
    shared = {"devices": recipe.devices, "accumulate": recipe.accumulate}
    return shared | _timed(step, batch.images, recipe.precision, repeats)


def _timed(work: Callable[[], Any], images: Tensor, precision: str, repeats: int) -> dict[str, Any]:
    if images.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    work()
    return {
        "size": list(images.shape[-2:]),
        "batch": len(images),
        "precision": precision,
        "times": [seconds_of(work, images.device) for _ in range(repeats)],
        "peak_bytes": peak_bytes(images.device),
    }


def random_batch(images: int, size: tuple[int, int], categories: int, device: torch.device) -> Batch:
    """Draws a batch of images of ``size`` = (H, W) on a device; image k has always the same objects."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(images, 3, *size, generator=generator)
    labels = torch.arange(OBJECTS) % categories
    return Batch(drawn, [_boxes(size, seed) for seed in range(images)], [labels] * images).to(device)


def training_step(
    model: FusedSegmenter, batch: Batch, categories: int, recipe: TrainingConfig
) -> Callable[[], None]:
    """Returns what one device does in a step of the recipe, without what devices tell each other.

    Args:
        model: the model; it is moved to the device of the batch and put in training mode.
        batch: the device's share of a step's images, all micro-batches together.
        categories: number of classes.
        recipe: the recipe.
    """
    own = recipe.model_copy(update={"batch_size": len(batch.images)})
    task = SegmentationTask(model, categories, own, 0)
    execution = Execution(recipe.precision, accumulate=recipe.accumulate)
    learner = Learner(task, execution, Processes(0, 1, batch.labels[0].device))
    totals = task.totals(batch)

    def step() -> None:
        learner.differentiate(0, batch, totals)
        learner.update(0)

    return step


def peak_bytes(device: torch.device) -> int:
    """Returns the most memory so far: allocated by torch on a GPU, else resident in the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, Linux KiB


def _device(model: FusedSegmenter) -> torch.device:
    return next(model.parameters()).device


def _boxes(size: tuple[int, int], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(OBJECTS, *size, dtype=torch.bool)
    for mask in masks:
        top, left = (int(torch.randint(0, side - side // 3, (1,), generator=generator)) for side in size)
        mask[top : top + size[0] // 3, left : left + size[1] // 3] = True
    return masks
