"""Training crops with their binary target masks, drawn from label maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.datasets.base import VOID, Dataset, Instances, Sample
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.encoded import Encoded, as_floats, stack
from vfm_fusion.segmentation.stored_maps import StoredMaps
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.training.augment import LabelledImage, augment
from vfm_fusion.training.samples import Place

_DRAWS = 64
"""Images without an object in a row after which a data set is taken to have none."""


def visible_objects(layers: Sequence[np.ndarray], instances: Instances) -> np.ndarray:
    """Numbers of the objects that a crop shows, without crowds, in their order: ``(n,)`` int64."""
    seen = np.zeros(len(instances) + 1, bool)
    for layer in layers:
        seen |= np.bincount(layer.ravel(), minlength=len(seen)) > 0
    seen[0] = False
    seen[1:] &= ~instances.crowd
    return np.flatnonzero(seen)


def draw_masks(masks: np.ndarray, layers: Sequence[np.ndarray], numbers: np.ndarray) -> None:
    """Fills ``(N, H, W)`` bool with the pixels of each number in any of the layers."""
    if not len(numbers):
        return
    front, *covered = (_narrow(layer) for layer in layers)
    for mask, number in zip(masks, numbers.tolist(), strict=True):  # a Python int keeps the narrow type
        np.equal(front, number, out=mask)
        for layer in covered:
            mask |= layer == number


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """The same numbers, at least 0, in the smallest type that holds them: comparing is then fastest."""
    return numbers.astype(np.min_scalar_type(int(numbers.max())), copy=False)


@dataclass(frozen=True)
class Batch:
    """A training batch.

    Attributes:
        images: ``(B, 3, H, W)`` RGB, uint8 as it is loaded, float32 in [0, 1] once it is on its device; or
            what frozen encoders have made of the images.
        masks: per image ``(N, H, W)`` bool.
        labels: per image ``(N,)`` int64 outputs of the head, see
            :class:`~vfm_fusion.segmentation.task_classes.TaskClasses`.
    """

    images: Tensor | Encoded
    masks: list[Tensor]
    labels: list[Tensor]

    def to(self, device: torch.device) -> Batch:
        """Moves the batch to a device, and there turns bytes into floats: a fourth of them has to be moved.

        From page-locked memory it moves while the program goes on.
        """
        return Batch(
            _moved(self.images, device),
            [mask.to(device, non_blocking=mask.is_pinned()) for mask in self.masks],
            [label.to(device, non_blocking=label.is_pinned()) for label in self.labels],
        )

    def split(self, parts: int) -> list[Batch]:
        """Divides the batch into ``parts`` of as many images each, in their order."""
        size = len(self.images) // parts
        return [
            Batch(self.images[i : i + size], self.masks[i : i + size], self.labels[i : i + size])
            for i in range(0, len(self.images), size)
        ]

    def pin_memory(self) -> Batch:
        """Copies the batch to page-locked memory, from where a GPU fetches it on its own."""
        return Batch(
            self.images.pin_memory(),
            [mask.pin_memory() for mask in self.masks],
            [label.pin_memory() for label in self.labels],
        )


def _moved(images: Tensor | Encoded, device: torch.device) -> Tensor | Encoded:
    if isinstance(images, Encoded):
        return images.to(device)
    return as_floats(images.to(device, non_blocking=images.is_pinned()))


class MaskDataset:
    """Augmented samples with their target masks.

    An item is addressed by ``(position, index)``: its place in the stream of training samples and the image's
    index. The position seeds the augmentation, so an item does not depend on workers or on what was read
    before.

    Of fixed views, which are augmented already, only the labels are read where frozen encoders have left
    their maps; and the images, where an upsampler is guided by them.

    For ``instance``, an image without an object to learn (none is annotated, or only crowds and objects that
    draw no pixel) gives its place to another image, drawn from the position's seed. So only images with
    objects are trained on, as with detectron2's ``FILTER_EMPTY_ANNOTATIONS``, and no label has to be read
    before training starts. A crop may still hold no object.
    """

    def __init__(
        self,
        dataset: Dataset,
        task: str,
        config: AugmentationConfig | None,
        seed: int,
        maps: StoredMaps | None = None,
    ) -> None:
        """Wraps a data set.

        Args:
            dataset: images and labels.
            task: ``panoptic``, ``instance`` or ``semantic``.
            config: augmentation; None where the images are fixed views.
            seed: seed of the augmentation.
            maps: those that frozen encoders made of the views, which are then read for upsamplers alone.

        Raises:
            TrainingError: the task is ``instance``, and no class of the data set is a thing.
        """
        self.dataset = dataset
        self.task = task
        self.config = config
        self.seed = seed
        self.maps = maps
        self.classes = TaskClasses.of(task, dataset.categories)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: Place) -> tuple[Tensor | Encoded, Tensor, Tensor]:
        """Returns an image ``(3, H, W)`` uint8, its masks ``(N, H, W)`` bool and outputs ``(N,)`` int64.

        Where frozen encoders have seen it, what they have made of it takes the place of the image.

        Raises:
            TrainingError: the image lacks the labels that the task needs, or no image has an object.
            FeatureStoreError: a stored map is missing or damaged.
        """
        position, index = item
        index, sample = self._sample(position, index)
        instances = None if self.task == "semantic" else sample.instances
        labelled = LabelledImage(sample.image, _regions(sample, self.task), _layers(instances))
        if self.config is not None:
            labelled = augment(labelled, self.config, np.random.default_rng([self.seed, 1, position]))
        targets = map(torch.from_numpy, self._targets(labelled, instances))
        image = torch.from_numpy(np.ascontiguousarray(labelled.image.transpose(2, 0, 1)))
        if self.maps is None:
            return image, *targets
        pixels = image[None] if self.maps.with_images else None
        return self.maps.read(index, self.dataset.size_of(index), pixels), *targets

    def batch(self, items: Sequence[Place]) -> Batch:
        """Stacks the images of items and lists their masks and outputs, whose number differs."""
        images, masks, labels = zip(*(self[item] for item in items), strict=True)
        return Batch(torch.stack(images) if self.maps is None else stack(images), list(masks), list(labels))

    def _sample(self, position: int, index: int) -> tuple[int, Sample]:
        """Reads an image that the task can learn from, and says which."""
        rng = np.random.default_rng([self.seed, 3, position])
        for _ in range(_DRAWS):
            sample = self._read(index)
            _check_labels(sample, self.task)
            objects = sample.instances
            if self.task != "instance" or len(visible_objects(_layers(objects), objects)):
                return index, sample
            index = int(rng.integers(len(self.dataset)))
        raise TrainingError(
            f"{_DRAWS} images in a row hold no object (the last one is {sample.image_id!r}), which "
            "`training.task: instance` learns; use `training.task: semantic`, or a split with objects"
        )

    def _read(self, index: int) -> Sample:
        """Reads an image and its labels, or these alone where the pixels are of no use any more."""
        if self.maps is None or self.maps.with_images:
            return self.dataset[index]
        labels = self.dataset.labels(index)
        return Sample(self.dataset.ids[index], np.empty((*self.dataset.size_of(index), 0), np.uint8), *labels)

    def _targets(
        self, augmented: LabelledImage, instances: Instances | None
    ) -> tuple[np.ndarray, np.ndarray]:
        regions = np.flatnonzero(np.bincount(augmented.semantic.ravel(), minlength=VOID)[:VOID])
        objects = np.zeros(0, np.int64)
        if instances is not None:
            regions = np.setdiff1d(regions, list(self.classes.things))
            objects = visible_objects(augmented.instances, instances)
        masks = np.empty((len(regions) + len(objects), *augmented.semantic.shape), bool)
        draw_masks(masks[: len(regions)], (augmented.semantic,), regions)
        draw_masks(masks[len(regions) :], augmented.instances, objects)
        categories = [] if instances is None else instances.categories[objects - 1].tolist()
        return masks, np.array(self.classes.outputs([*regions.tolist(), *categories]), np.int64)


def _regions(sample: Sample, task: str) -> np.ndarray:
    """The label map of classes; all void for ``instance``, which learns objects alone."""
    if task == "instance":
        return np.full(sample.image.shape[:2], VOID, np.uint8)
    return sample.semantic


def _layers(instances: Instances | None) -> tuple[np.ndarray, ...]:
    return () if instances is None else instances.layers


def _check_labels(sample: Sample, task: str) -> None:
    if task != "instance" and sample.semantic is None:
        raise TrainingError(f"image {sample.image_id!r} has no semantic labels; train on a labelled split")
    if task != "semantic" and sample.instances is None:
        raise TrainingError(
            f"image {sample.image_id!r} has no instance labels, which `training.task: {task}` needs; "
            "use `training.task: semantic` for this data set"
        )
