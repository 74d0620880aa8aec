"""Reading training batches in processes beside the training."""

from __future__ import annotations

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.segmentation.data import Batch, MaskDataset, collate
from vfm_fusion.segmentation.signals import leave_to_parent


def training_loader(
    dataset: Dataset, recipe: TrainingConfig, seed: int, batches: Sampler[list[tuple[int, int]]]
) -> DataLoader[Batch]:
    """Loads augmented batches.

    Args:
        dataset: images and labels.
        recipe: task, augmentation and number of worker processes, which changes nothing in the batches.
        seed: seed of the augmentation.
        batches: the (position, index) of the images of each batch.
    """
    return DataLoader(
        MaskDataset(dataset, recipe.task, recipe.augmentation, seed),
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=recipe.workers,
        persistent_workers=recipe.workers > 0,
        worker_init_fn=_serve,
        pin_memory=torch.cuda.is_available(),
    )


def _serve(worker: int) -> None:
    """Keeps OpenCV from starting threads in a worker, as PyTorch keeps itself, and signals from ending it."""
    cv2.setNumThreads(0)
    leave_to_parent()
