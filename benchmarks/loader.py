"""Measures how fast training images are read and augmented, beside torchvision's transforms.

    VFM_REALDATA=... python benchmarks/loader.py           # real photos and labels, three to four minutes
    python benchmarks/loader.py --gpu 20                   # for a GPU that trains 20 images/s

Three recipes: Cityscapes (panoptic, short side 1024 x .5 to 2, crop 512 x 1024, colours), ADE20K (semantic,
short side 640 x .5 to 2, crop 640, colours) and COCO (instance, large-scale jitter .1 to 2, crop 1024). Real
input is Cityscapes' own frames, photos of COCO-Stuff in place of ADE20K's, and COCO; without VFM_REALDATA, or
with --generated, it is generated scenes of the same sizes as PNG.

- ours: the loader that training uses, batches of three, targets included.
- peer: the same readers, then the same steps with torchvision.transforms.v2 and its tensors.
- limit: Pillow decodes the files that an item needs, and nothing else. What a worker may reach at best.

Images per second of wall time; 0 workers means in the training process itself. There the CPU time of an
image is taken too, which says how many workers a GPU needs, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, ShortSideScale
from vfm_fusion.config.datasets import DatasetConfig, FolderConfig, MiniscapesConfig
from vfm_fusion.datasets.base import Dataset, Sample
from vfm_fusion.datasets.readers import coco_instance
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.segmentation.data import MaskDataset
from vfm_fusion.training.samples import StepSampler, loaded_steps

ensure_torchvision()

from torchvision import tv_tensors  # noqa: E402  (after the check of its build)
from torchvision.transforms import v2  # noqa: E402

VOID, BATCH = 255, 3


@dataclass(frozen=True)
class Recipe:
    """A recipe and the images that it is timed on; ``size`` is that of a generated image."""

    name: str
    task: str
    augmentation: AugmentationConfig
    size: tuple[int, int]
    photos: str


def recipes(shrink: int) -> tuple[Recipe, ...]:
    """The three recipes, every length divided by ``shrink``."""

    def short_side(pixels: int, crop: tuple[int, int]) -> AugmentationConfig:
        scale = ShortSideScale(pixels=pixels // shrink, max_side=4 * pixels // shrink)
        return AugmentationConfig(crop=divided(crop), scale=scale)

    def divided(size: tuple[int, int]) -> tuple[int, int]:
        return max(32, size[0] // shrink // 32 * 32), max(32, size[1] // shrink // 32 * 32)

    def generated(size: tuple[int, int]) -> tuple[int, int]:
        return max(64, divided(size)[0]), max(64, divided(size)[1])

    jitter = AugmentationConfig(crop=divided((1024, 1024)), scale=JitterScale(), color="none")
    return (
        Recipe(
            "Cityscapes", "panoptic", short_side(1024, (512, 1024)), generated((1024, 2048)), "cityscapes"
        ),
        Recipe("ADE20K", "semantic", short_side(640, (640, 640)), generated((512, 672)), "coco_stuff"),
        Recipe("COCO", "instance", jitter, generated((480, 640)), "coco_panoptic_sample"),
    )


def real(recipe: Recipe, photos: Path, folder: Path) -> Dataset:
    """Opens the real images of a recipe; COCO's sample is laid out as COCO 2017 first."""
    root = photos / recipe.photos
    if recipe.name != "COCO":
        return opened(FolderConfig(kind=recipe.photos, root=str(root)), root)
    (folder / "annotations").mkdir()
    (folder / "train2017").symlink_to(root / "input_images")
    content = json.loads((root / "panoptic_coco_detection_format.json").read_text())
    things = {category.name for category in coco_instance.CATEGORIES}
    content["categories"] = [row for row in content["categories"] if row["name"] in things]
    known = {row["id"] for row in content["categories"]}
    content["annotations"] = [row for row in content["annotations"] if row["category_id"] in known]
    (folder / "annotations/instances_train2017.json").write_text(json.dumps(content))
    return opened(FolderConfig(kind="coco_instance", root=str(folder)), folder)


def scenes(recipe: Recipe, images: int, folder: Path) -> Dataset:
    height, width = recipe.size
    config = MiniscapesConfig(kind="miniscapes", train=images, val=1, height=height, width=width)
    generate(config, folder / "scenes", workers=1)
    return opened(config, folder / "scenes")


def opened(config: DatasetConfig, root: Path) -> Dataset:
    return open_dataset(config, root, index_split(config, root, "train").frame)


class Peer(TorchDataset):
    """A recipe as one would write it with torchvision: label maps, or one mask an object if they overlap."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        self.dataset, self.task = dataset, recipe.task
        self.steps = v2.Compose(peer_steps(recipe.augmentation))
        self.things = {category.id for category in dataset.categories if category.isthing}

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        position, index = item
        torch.manual_seed(position)
        sample = self.dataset[index]
        image = tv_tensors.Image(torch.tensor(sample.image).permute(2, 0, 1))
        moved, labels = self.steps(image, tv_tensors.Mask(torch.from_numpy(self._labels(sample))))
        masks, classes = self._targets(labels, sample)
        return moved, masks, classes

    def _labels(self, sample: Sample) -> np.ndarray:
        """``(L, H, W)``: the maps, or the masks, that the steps move with the image."""
        if self.task == "semantic":
            return sample.semantic[None].astype(np.int32)
        if self.task == "panoptic":
            return np.stack([sample.semantic, sample.instances.ids])
        objects = [k for k in range(len(sample.instances)) if not sample.instances.crowd[k]]
        return np.stack([sample.instances.mask(k) for k in objects]).astype(np.uint8)

    def _targets(self, labels: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        if self.task == "instance":
            classes = torch.from_numpy(sample.instances.categories[~sample.instances.crowd])
            seen = (labels == 1).flatten(1).any(dim=1)
            return labels[seen] == 1, classes[seen]
        regions = [k for k in labels[0].unique().tolist() if k != VOID]
        if self.task == "semantic":
            return torch.stack([labels[0] == k for k in regions]), torch.tensor(regions)
        regions = [k for k in regions if k not in self.things]
        instances = sample.instances
        numbers = [k for k in labels[1].unique().tolist() if 0 < k < VOID and not instances.crowd[k - 1]]
        masks = [labels[0] == k for k in regions] + [labels[1] == k for k in numbers]
        return torch.stack(masks), torch.tensor([*regions, *(instances.categories[k - 1] for k in numbers)])


def peer_steps(config: AugmentationConfig) -> list[v2.Transform]:
    if isinstance(config.scale, ShortSideScale):
        resize = v2.RandomShortestSize(list(config.scale.lengths), max_size=config.scale.max_side)
    else:
        resize = v2.ScaleJitter(config.crop, scale_range=config.scale.range)
    fill = {tv_tensors.Image: 128, tv_tensors.Mask: VOID}
    steps = [resize, v2.RandomCrop(config.crop, pad_if_needed=True, fill=fill), v2.RandomHorizontalFlip()]
    return [*steps, v2.RandomPhotometricDistort()] if config.color == "ssd" else steps


class Decoded(TorchDataset):
    """Decodes the image files of an item and drops them."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        columns = ("image", "semantic", "instance")[: 3 if recipe.task != "semantic" else 2]
        self.files = [[dataset.path(column, k) for column in columns] for k in range(len(dataset))]

    def __getitem__(self, item: tuple[int, int]) -> int:
        for path in self.files[item[1]]:
            if path.suffix != ".json":
                with Image.open(path) as file:
                    file.load()
        return 0


@dataclass(frozen=True)
class Pace:
    """Images per second of wall time, and seconds of this process's CPU time for each."""

    rate: float
    cpu: float


def pace(batches: Iterable[Any], count: int, check: Callable[[Any], None]) -> Pace:
    """Times ``count`` batches after a first one, which is checked."""
    stream = iter(batches)
    check(next(stream))
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in islice(stream, count):
        pass
    images = BATCH * count
    return Pace(images / (time.perf_counter() - wall), (time.process_time() - cpu) / images)


def measure(recipe: Recipe, dataset: Dataset, workers: int, count: int) -> dict[str, Pace]:
    """Paces of ours, the peer and the limit."""
    sampler = StepSampler(len(dataset), BATCH, seed=0)
    crops = MaskDataset(dataset, recipe.task, recipe.augmentation, seed=0)
    steps = range(1 + count)

    def plain(items: TorchDataset) -> DataLoader:
        return DataLoader(
            items,
            batch_sampler=[sampler.of_step(step) for step in steps],
            num_workers=workers,
            collate_fn=list,
            worker_init_fn=one_thread,
        )

    def full_batch(images: list[Tensor]) -> None:
        for image in images:
            if image.shape != (3, *recipe.augmentation.crop) or image.dtype != torch.uint8:
                raise AssertionError(f"{recipe.name}: an image of {tuple(image.shape)}, {image.dtype}")

    with loaded_steps(lambda _, places: crops.batch(places), sampler, steps, workers, BATCH) as loaded:
        ours = pace(loaded, count, lambda batch: full_batch(list(batch.images)))
    return {
        "ours": ours,
        "peer": pace(plain(Peer(dataset, recipe)), count, lambda items: full_batch([i[0] for i in items])),
        "limit": pace(plain(Decoded(dataset, recipe)), count, lambda items: None),
    }


def show(title: str, values: dict[str, float], share: Callable[[float, float], float]) -> None:
    shown = "  ".join(f"{name} {value:7.2f}" for name, value in values.items())
    ours, peer, limit = values.values()
    print(
        f"  {title:20}{shown}   {share(ours, peer):5.2f} x peer  {share(ours, limit):4.2f} x limit",
        flush=True,
    )


def one_thread(worker: int) -> None:
    cv2.setNumThreads(0)


@contextmanager
def images_of(recipe: Recipe, options: argparse.Namespace) -> Iterator[tuple[Dataset, str]]:
    """The images of a recipe, and what they are."""
    photos = os.environ.get("VFM_REALDATA")
    with tempfile.TemporaryDirectory() as folder:
        if photos and not options.generated:
            dataset, kind = real(recipe, Path(photos) / "images", Path(folder)), "real"
        else:
            dataset, kind = scenes(recipe, options.images, Path(folder)), "generated"
        yield dataset, f"{len(dataset)} {kind} images"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batches", type=int, default=16, help="batches of three that are timed")
    parser.add_argument("--gpu", type=float, default=8, help="images/s that one GPU trains")
    parser.add_argument(
        "--generated", action="store_true", help="generated scenes, even if VFM_REALDATA is set"
    )
    parser.add_argument("--images", type=int, default=6, help="generated scenes of each size")
    parser.add_argument("--shrink", type=int, default=1, help="divides every length, for a first look")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"images per second, batches of {BATCH}, {len(os.sched_getaffinity(0))} cores")
    for recipe in recipes(options.shrink):
        with images_of(recipe, options) as (dataset, kind):
            print(f"{recipe.name}: {recipe.task}, crop {recipe.augmentation.crop}, {kind}")
            for workers in options.workers:
                paces = measure(recipe, dataset, workers, options.batches)
                rates = {name: pace.rate for name, pace in paces.items()}
                show(f"{workers} workers", rates, lambda ours, other: ours / other)
                if workers == 0:
                    times = {name: 1000 * pace.cpu for name, pace in paces.items()}
                    show("  CPU, ms an image", times, lambda ours, other: other / ours)
                    needed = math.ceil(options.gpu * paces["ours"].cpu)
                    print(f"  a GPU that trains {options.gpu:g} images/s needs {needed} worker(s)")


if __name__ == "__main__":
    main()
