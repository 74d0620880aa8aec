"""The models that benchmarks/training.py times, and the batch and loss that each is trained with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from training_results import FUSED_RUNS, MASTER, PLAIN, Task

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.cost import random_batch, training_step
from vfm_fusion.segmentation.data import Batch
from vfm_fusion.segmentation.head import mask2former_config
from vfm_fusion.training.optimization import parameter_groups

ensure_torchvision()

from transformers import Mask2FormerForUniversalSegmentation, SwinConfig  # noqa: E402  (torchvision comes first)

CATEGORIES = 19


@dataclass(frozen=True)
class Size:
    """A pair of encoders and what they are trained with; ``swin``: the encoder of a plain Mask2Former."""

    master: str
    auxiliary: str
    crop: tuple[int, int]
    batch: int
    head: HeadConfig
    swin: dict[str, object] | None = None


SMALL_HEAD = HeadConfig(
    pyramid_channels=(48, 64, 96, 128),
    hidden_dim=64,
    heads=4,
    pixel_decoder_layers=2,
    pixel_decoder_feedforward_dim=256,
    decoder_layers=3,
    feedforward_dim=256,
    queries=40,
    points=2048,
)

SIZES = {
    "full": Size(
        "dinov3_vitb16",
        "sam2_hiera_bplus",
        (512, 1024),
        3,
        HeadConfig(),
        {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32], "window_size": 12},
    ),
    "miniature": Size(
        "mini_vit",
        "mini_hiera",
        (256, 256),
        2,
        SMALL_HEAD,
        {"embed_dim": 32, "depths": [1, 1, 3, 1], "num_heads": [1, 2, 4, 8], "window_size": 8},
    ),
    "frozen": Size(  # with the head of experiments/realdata.yaml
        "dinov2_vits14",
        "mobilenetv2_100",
        (320, 320),
        2,
        SMALL_HEAD.model_copy(
            update={"pixel_decoder_layers": 1, "decoder_layers": 2, "queries": 24, "points": 256}
        ),
    ),
}


def encoders_of(task: Task) -> dict[str, EncoderConfig]:
    size, weights = SIZES[task.size], SeededWeights(source="seeded", seed=task.seed)
    names = {"master": size.master, "auxiliary": size.auxiliary}
    return {role: EncoderConfig(architecture=name, weights=weights) for role, name in names.items()}


def our_model(task: Task) -> nn.Module:
    strides: tuple[int, ...] = ()
    if task.model == MASTER:
        run = RunConfig(master="master")
    elif task.model in FUSED_RUNS:
        operator, strides = FUSED_RUNS[task.model]
        run = RunConfig(
            master="master",
            auxiliary="auxiliary",
            auxiliary_precision="bfloat16" if task.auxiliary_bfloat16 else "same",
            fusion=FusionConfig(operator=operator),
        )
    else:
        run = RunConfig(master="auxiliary", train_master=False)
    model = build_segmenter(run, encoders_of(task), strides, SIZES[task.size].head, CATEGORIES, task.seed)
    if task.compiled:
        for encoder in filter(None, (model.master, model.auxiliary)):
            encoder.compile(backend=task.compiled)
    return model


def plain_model(task: Task) -> nn.Module:
    size = SIZES[task.size]
    config = mask2former_config(size.head, CATEGORIES)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    config.backbone_config = SwinConfig(**size.swin, image_size=max(task.crop), out_features=stages)
    torch.manual_seed(task.seed)
    model = Mask2FormerForUniversalSegmentation(config)
    if task.compiled:
        model.model.pixel_level_module.encoder.compile(backend=task.compiled)
    return model


def prepared(task: Task) -> tuple[nn.Module, Batch]:
    """Builds the model and its batch on their device."""
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    device = torch.device(task.device)
    layout = torch.channels_last if task.channels_last else torch.preserve_format
    batch = random_batch(task.batch, task.crop, CATEGORIES, device)
    batch = replace(batch, images=batch.images.contiguous(memory_format=layout))
    model = plain_model(task) if task.model == PLAIN else our_model(task)
    return model.to(device, memory_format=layout), batch


def step_of(task: Task, model: nn.Module, batch: Batch) -> Callable[[], None]:
    """Returns one whole training step of the model."""
    recipe = TrainingConfig(batch_size=task.batch, precision=task.precision, head=SIZES[task.size].head)
    if task.model != PLAIN:
        return training_step(model, batch, CATEGORIES, recipe)
    device, masks = batch.images.device, [mask.float() for mask in batch.masks]
    optimizer = torch.optim.AdamW(parameter_groups(model.train(), recipe), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with precision_of(task, device):
            found = model(pixel_values=batch.images, mask_labels=masks, class_labels=batch.labels)
        found.loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()

    return step


AUTOCAST = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def precision_of(task: Task, device: torch.device) -> torch.autocast:
    dtype = AUTOCAST[task.precision]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
