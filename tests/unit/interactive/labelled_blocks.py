"""A data set in memory: blocks of 16 pixels, each in the colour of its class, one class of things."""

from __future__ import annotations

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Instances, Sample

COLORS = np.array([[40, 40, 40], [220, 60, 60], [60, 60, 220]])


class Blocks:
    """Images of some sizes.

    Args:
        sizes: one image each.
        labels: ``classes`` and the objects of class 1, ``objects`` alone, or ``none``.
        seed: seed of classes and noise.
    """

    def __init__(self, *sizes: tuple[int, int], labels: str = "classes", seed: int = 0) -> None:
        self.sizes, self._labels = sizes, labels
        self.ids = tuple(f"folder/{seed}-{number}" for number in range(len(sizes)))
        classes = range(len(COLORS)) if labels == "classes" else [1]
        self.categories = tuple(
            Category(i, f"class {c}", c == 1, tuple(COLORS[c])) for i, c in enumerate(classes)
        )
        rng = np.random.default_rng(seed)
        self._classes, self._images = [], []
        for height, width in sizes:
            blocks = rng.integers(len(COLORS), size=(-(-height // 16), -(-width // 16)))
            classes = np.kron(blocks, np.ones((16, 16), int))[:height, :width]
            noise = rng.integers(-20, 21, (height, width, 3))
            self._classes.append(classes)
            self._images.append((COLORS[classes] + noise).clip(0, 255).astype(np.uint8))

    def __len__(self) -> int:
        return len(self.ids)

    def size_of(self, position: int) -> tuple[int, int]:
        return self.sizes[position]

    def image(self, position: int) -> np.ndarray:
        return self._images[position]

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        if self._labels == "none":
            return None, None
        classes = self._classes[position]
        things = self.categories[-1].id if self._labels == "objects" else 1
        objects = Instances((classes == 1).astype(np.int32), np.array([things]), np.array([False]))
        if self._labels == "objects":
            return np.where(classes == 1, 0, VOID).astype(np.uint8), objects
        return classes.astype(np.uint8), objects

    def __getitem__(self, position: int) -> Sample:
        return Sample(self.ids[position], self.image(position), *self.labels(position))
