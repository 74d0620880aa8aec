"""Random images and objects, and the optimiser step that cost and speed are measured with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.optimization import parameter_groups

OBJECTS = 12
"""Objects of each image that a training step is timed with."""

_AUTOCAST = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Workload:
    """A batch like those of a training run.

    Attributes:
        images: ``(B, 3, H, W)`` float RGB in [0, 1].
        masks: per image ``(OBJECTS, H, W)`` float, 0 or 1: boxes of a third of the image's sides.
        labels: per image ``(OBJECTS,)`` int64 train ids.
    """

    images: Tensor
    masks: list[Tensor]
    labels: list[Tensor]

    @classmethod
    def random(cls, batch: int, size: tuple[int, int], categories: int, device: torch.device) -> Workload:
        """Draws a batch of images of ``size`` = (H, W); image k has always the same objects."""
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(batch, 3, *size, generator=generator).to(device)
        masks = [_boxes(size, seed).to(device) for seed in range(batch)]
        return cls(images, masks, [torch.arange(OBJECTS, device=device) % categories for _ in masks])


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Returns the context of a training precision (``TrainingConfig.precision``)."""
    dtype = _AUTOCAST[precision]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def optimiser_step(
    model: nn.Module, loss: Callable[[], Tensor], recipe: TrainingConfig, device: torch.device
) -> Callable[[], None]:
    """Returns one whole step of a device: loss and backward pass of every micro-batch, clipping, AdamW.

    Args:
        model: whose trainable parameters are optimised.
        loss: runs the model on a micro-batch and returns its scalar loss.
        recipe: micro-batches, precision, clipping, rates.
        device: of the model.
    """
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        for _ in range(recipe.accumulate):
            with autocast(recipe.precision, device):
                value = loss()
            (value / recipe.accumulate).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()

    return step


def _boxes(size: tuple[int, int], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(OBJECTS, *size)
    for mask in masks:
        top, left = (int(torch.randint(0, side - side // 3, (1,), generator=generator)) for side in size)
        mask[top : top + size[0] // 3, left : left + size[1] // 3] = 1
    return masks
