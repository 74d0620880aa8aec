"""A small data set with every kind of label, and a small head."""

from __future__ import annotations

import numpy as np

from vfm_fusion.config.head import HeadConfig
from vfm_fusion.datasets.base import VOID, Category, Instances

HEAD = HeadConfig(
    pyramid_channels=(8, 8, 8, 8),
    hidden_dim=32,
    heads=2,
    pixel_decoder_layers=1,
    pixel_decoder_feedforward_dim=32,
    decoder_layers=1,
    feedforward_dim=32,
    queries=8,
    points=64,
)

CATEGORIES = (
    Category(0, "road", False, (128, 64, 128)),
    Category(1, "sky", False, (70, 130, 180)),
    Category(2, "car", True, (0, 0, 142)),
)


class Scenes:
    """Three images of two sizes: a road, a sky and two cars, which touch no border."""

    categories = CATEGORIES
    protocol = "coco"
    ids = ("a", "b/ü", "c")

    def __init__(self, annotated: bool = True) -> None:
        self.annotated = annotated

    def __len__(self) -> int:
        return 3

    def image(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 256, (*self.size(index), 3), dtype=np.uint8)

    def labels(self, index: int) -> tuple[np.ndarray | None, Instances | None]:
        size = self.size(index)
        ids = np.zeros(size, np.int32)
        ids[20:40, 5:25], ids[10:30, 40:66] = 1, 2
        semantic = np.where(np.arange(size[0])[:, None] < 12, 1, 0).repeat(size[1], axis=1).astype(np.uint8)
        semantic[ids > 0] = 2
        semantic[-3:] = 255
        return semantic, Instances(ids, np.array([2, 2]), np.zeros(2, bool)) if self.annotated else None

    def ignored(self, index: int, semantic: np.ndarray) -> np.ndarray:
        return semantic == VOID

    @staticmethod
    def size(index: int) -> tuple[int, int]:
        return (48, 80) if index < 2 else (50, 70)
