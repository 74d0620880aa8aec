"""A toy data set and tiny encoders for the segmentation tests."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import nn

from vfm_fusion.datasets.base import Category, Instances, Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec

CATEGORIES = (
    Category(0, "road", False, (128, 64, 128)),
    Category(1, "sky", False, (70, 130, 180)),
    Category(2, "person", True, (220, 20, 60)),
    Category(3, "car", True, (0, 0, 142)),
)


class ToyDataset:
    """Scenes of a road, a sky, two cars, a person and a crowd; ``annotated`` says whether with instances."""

    categories = CATEGORIES

    def __init__(self, images: int = 5, size: tuple[int, int] = (64, 96), annotated: bool = True) -> None:
        self.ids = tuple(f"toy {index}" for index in range(images))
        self.size = size
        self.annotated = annotated

    def __len__(self) -> int:
        return len(self.ids)

    def size_of(self, index: int) -> tuple[int, int]:
        return self.size

    def image(self, index: int) -> np.ndarray:
        return self[index].image

    def labels(self, index: int) -> tuple[np.ndarray, Instances | None]:
        sample = self[index]
        return sample.semantic, sample.instances

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        height, width = self.size
        semantic = np.zeros(self.size, np.uint8)
        semantic[: height // 3] = 1
        semantic[-2:] = 255
        ids = np.zeros(self.size, np.int32)
        for number, category in enumerate((3, 3, 2, 3), start=1):
            top, left = rng.integers(0, height - 20), rng.integers(0, width - 24)
            ids[top : top + 16, left : left + 20] = number
            semantic[top : top + 16, left : left + 20] = category
        image = np.stack([semantic * 50, 255 - semantic, ids * 40], axis=-1).astype(np.uint8)
        instances = Instances(ids, np.array([3, 3, 2, 3]), np.array([False, False, False, True]))
        return Sample(self.ids[index], image, semantic, instances if self.annotated else None)


class TinyViT(Encoder):
    """One stride: a patch embedding with batch norm whose statistics must keep still."""

    def __init__(self, patch: int = 16, channels: int = 12) -> None:
        super().__init__(
            EncoderSpec("tiny-vit", "test", {patch: channels}, size_divisor=patch, patch_size=patch)
        )
        self.embed = nn.Conv2d(3, channels, patch, patch)
        self.norm = nn.BatchNorm2d(channels)

    def features(self, normalised: torch.Tensor, strides: Collection[int]) -> dict[int, torch.Tensor]:
        return {self.spec.strides[0]: self.norm(self.embed(normalised))}


class TinyHierarchy(Encoder):
    """Four strides."""

    def __init__(self) -> None:
        super().__init__(EncoderSpec("tiny-hierarchy", "test", {4: 4, 8: 8, 16: 16, 32: 32}, size_divisor=32))
        self.stages = nn.ModuleList(
            [nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 8, 2, 2), nn.Conv2d(8, 16, 2, 2), nn.Conv2d(16, 32, 2, 2)]
        )

    def features(self, normalised: torch.Tensor, strides: Collection[int]) -> dict[int, torch.Tensor]:
        maps = {}
        for stride, stage in zip(self.spec.strides, self.stages, strict=True):
            normalised = maps[stride] = stage(normalised)
        return maps


def full_size_targets(
    task: str, categories: int, size: tuple[int, int], count: int = 12
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes that overlap (instances), or that leave every pixel to one of them (semantic, panoptic)."""
    generator = torch.Generator().manual_seed(1)
    height, width = size
    tops = torch.randint(0, height // 2, (count,), generator=generator).tolist()
    lefts = torch.randint(0, width // 2, (count,), generator=generator).tolist()
    masks = torch.zeros(count, height, width)
    for index, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        masks[index, top : top + height // 3, left : left + width // 3] = 1
    if task != "instance":
        masks[0] = 1
        owner = (count - 1) - masks.flip(0).argmax(dim=0)  # the last box that covers a pixel
        masks = (owner == torch.arange(count)[:, None, None]).float()
        masks = masks[masks.flatten(1).any(dim=1)]
    labels = torch.randperm(categories, generator=generator)[: len(masks)]
    return masks, labels
