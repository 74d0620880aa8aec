"""Stochastic depth that does not depend on how the images of a step are divided."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from vfm_fusion.compat import ensure_torchvision

ensure_torchvision()

from timm.layers import DropPath  # noqa: E402  (it imports torchvision)


class StepPart:
    """Which images of a step are computed now, and the random numbers of the step."""

    def __init__(self) -> None:
        self.begin(0, 1, 0, 1)

    def begin(
        self, seed: int, images: int, first: int, count: int, device: torch.device | str = "cpu"
    ) -> None:
        """Turns to a part of a step.

        Args:
            seed: seed of the step.
            images: number of images of the whole step.
            first: number of the part's first image, from 0.
            count: number of images of the part.
            device: where they are.
        """
        self.generator = Generator(device).manual_seed(seed)
        self.images, self.first, self.count = images, first, count

    def kept(self, probability: float, rows: int) -> Tensor:
        """Draws for all images of the step what is kept and returns that of this part, ``(rows,)`` bool.

        An image may have several rows, one after another (windows).
        """
        each = rows // self.count
        drawn = torch.rand(self.images * each, device=self.generator.device, generator=self.generator)
        return drawn[self.first * each : (self.first + self.count) * each] < probability


class StepDropPath(nn.Module):
    """Drops the residual branch of some images at random, as timm's DropPath does."""

    def __init__(self, path: DropPath, part: StepPart) -> None:
        super().__init__()
        self.keep = 1.0 - path.drop_prob
        self.scale = 1.0 / self.keep if path.scale_by_keep and self.keep > 0 else 1.0
        self.part = part

    def forward(self, branch: Tensor) -> Tensor:
        """Scales ``(B, ...)`` by 0 or by ``scale``, image by image."""
        if not self.training or self.keep == 1.0:
            return branch
        kept = self.part.kept(self.keep, len(branch)).to(branch.dtype) * self.scale
        return branch * kept.view(-1, *[1] * (branch.ndim - 1))


def share_stochastic_depth(model: nn.Module) -> StepPart:
    """Replaces every DropPath of a model, and returns what tells them which images they see."""
    part = StepPart()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, DropPath):
                setattr(parent, name, StepDropPath(child, part))
    return part
