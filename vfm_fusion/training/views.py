"""Fixed views of a data set: every image augmented in a few ways, drawn once and for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances, Sample
from vfm_fusion.training.augment import Crop, Labels, draw_crop

_SEED = 7
"""Stream of the views' random numbers. It is nobody's seed: runs, seeds and encoders share the views."""


class Views(Dataset):
    """The views of all images as a data set of their own, each ``crop`` pixels large.

    View ``k`` of an image is a function of the image's position, ``k`` and the augmentation alone. So its
    features can be stored, and its labels can be read without its pixels. Images come in their order, and the
    views of one image one after another.
    """

    def __init__(self, dataset: Dataset, config: AugmentationConfig, count: int) -> None:
        """Describes the views; nothing is read.

        Args:
            dataset: the images.
            config: how they are augmented.
            count: views of an image.
        """
        self.dataset = dataset
        self.config = config
        self.count = count
        self.ids = tuple(f"{image_id}.view{view}" for image_id in dataset.ids for view in range(count))

    @property
    def categories(self) -> tuple[Category, ...]:
        """See :attr:`Dataset.categories`."""
        return self.dataset.categories

    def size_of(self, position: int) -> tuple[int, int]:
        """See :meth:`Dataset.size_of`: that of a crop."""
        return self.config.crop

    def image(self, position: int) -> np.ndarray:
        """See :meth:`Dataset.image`: ``(H, W, 3)`` uint8 RGB, padding in grey."""
        original = position // self.count
        pixels = self.dataset.image(original)
        crop, rng = self._drawn(position, self._shown(original, pixels.shape[:2]))
        return crop.image(pixels, self.config, rng)

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`Dataset.labels`: padding is void; objects keep their numbers, seen or not."""
        semantic, instances = self.dataset.labels(position // self.count)
        return self._cut(position, semantic, instances)

    def __getitem__(self, position: int) -> Sample:
        """See :meth:`Dataset.__getitem__`."""
        sample = self.dataset[position // self.count]
        whole = _label_maps(sample.semantic, sample.instances, sample.image.shape[:2])
        crop, rng = self._drawn(position, whole)
        labels = crop.labels(whole)
        return Sample(
            self.ids[position],
            crop.image(sample.image, self.config, rng),
            None if sample.semantic is None else labels.semantic,
            _cut_instances(sample.instances, labels),
        )

    def _cut(
        self, position: int, semantic: np.ndarray | None, instances: Instances | None
    ) -> tuple[np.ndarray | None, Instances | None]:
        if semantic is None and instances is None:
            return None, None
        size = instances.ids.shape if semantic is None else semantic.shape
        whole = _label_maps(semantic, instances, size)
        labels = self._drawn(position, whole)[0].labels(whole)
        return None if semantic is None else labels.semantic, _cut_instances(instances, labels)

    def _shown(self, original: int, size: tuple[int, int]) -> Labels:
        """The labels that a view is drawn by: none where windows do not depend on them."""
        if self.config.single_category_max_area == 1:
            return Labels(np.broadcast_to(np.uint8(VOID), size), ())
        semantic, _ = self.dataset.labels(original)
        return _label_maps(semantic, None, size)

    def _drawn(self, position: int, labels: Labels) -> tuple[Crop, np.random.Generator]:
        """A view's crop, and the random numbers that its colours are drawn from."""
        rng = np.random.default_rng([_SEED, *divmod(position, self.count)])
        return draw_crop(labels, self.config, rng), rng


def _label_maps(semantic: np.ndarray | None, instances: Instances | None, size: tuple[int, int]) -> Labels:
    """All label maps of an image; classes are void where it has none."""
    layers = () if instances is None else instances.layers
    return Labels(np.broadcast_to(np.uint8(VOID), size) if semantic is None else semantic, layers)


def _cut_instances(instances: Instances | None, labels: Labels) -> Instances | None:
    if instances is None:
        return None
    front, *covered = labels.instances
    return replace(instances, ids=front, covered=np.stack(covered) if covered else None, areas=None)
