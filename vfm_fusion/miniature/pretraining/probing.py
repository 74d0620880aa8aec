"""What frozen features say of semantic classes, patch by patch: k-NN and a linear probe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.pyramid import nearest_stride
from vfm_fusion.errors import TrainingError
from vfm_fusion.evaluation.mean_iou import MeanIoU

STRIDE = 16
TRAIN_IMAGES = 200
VAL_IMAGES = 60
TRAIN_CELLS = 20_000
VAL_CELLS = 40_000
NEIGHBOURS = 10
_SEED = 0
_CHUNK = 2048
_PENALTY = 1e-3
_ITERATIONS = 100


@dataclass(frozen=True)
class Cells:
    """Features ``(N, C)`` float32 and classes ``(N,)`` int64 of labelled cells."""

    features: Tensor
    classes: Tensor


def probe(encoder: Encoder, train: Dataset, val: Dataset, classes: int) -> dict[str, float]:
    """Predicts the class of each cell of the map at OS 16 from its frozen feature.

    A cell's class is that of most of its pixels; cells that are mostly void are left out. An encoder without
    a map at OS 16 is probed at its nearest stride. Nearest neighbours (cosine) vote; the linear probe is a
    multinomial logistic regression on standardised features. At most 200 training and 60 validation images
    are read, spread evenly over their splits; of their cells at most 20,000 and 40,000, as many of each
    image, are drawn from a fixed seed.

    Args:
        encoder: run in evaluation mode, on its own device.
        train: labelled images of the neighbours and the regression.
        val: labelled images that are predicted.
        classes: number of evaluated classes.

    Returns:
        Percentages: ``k-NN accuracy``, ``k-NN mIoU``, ``linear accuracy``, ``linear mIoU``; the IoU is
        that of cells, see :class:`vfm_fusion.evaluation.mean_iou.MeanIoU`.

    Raises:
        TrainingError: an image has no labels, or a split has no labelled cell.
    """
    known = read_cells(encoder, train, TRAIN_IMAGES, TRAIN_CELLS, classes, "train")
    unseen = read_cells(encoder, val, VAL_IMAGES, VAL_CELLS, classes, "val")
    scores = {}
    for name, predict in (("k-NN", _nearest_neighbours), ("linear", _linear)):
        predicted = predict(known, unseen.features, classes)
        regions = MeanIoU(classes)
        regions.add(unseen.classes.numpy(), predicted.numpy())
        scores[f"{name} accuracy"] = 100 * float((predicted == unseen.classes).double().mean())
        scores[f"{name} mIoU"] = regions.evaluate().overall["mIoU"]
    return scores


def majority_classes(semantic: np.ndarray, stride: int, classes: int) -> np.ndarray:
    """Returns the commonest class of every cell; void counts as one, of equals the smaller id wins.

    Args:
        semantic: ``(H, W)`` uint8 train ids, sides multiples of ``stride``.
        stride: side of a cell.
        classes: number of evaluated classes; every id from there on is void.

    Returns:
        ``(H / stride, W / stride)`` int64, ``VOID`` where most pixels are void.
    """
    height, width = (side // stride for side in semantic.shape)
    cells = semantic.reshape(height, stride, width, stride).swapaxes(1, 2).reshape(height * width, -1)
    ids = np.minimum(cells, classes).astype(np.int64)
    offsets = np.arange(height * width)[:, None] * (classes + 1)
    counts = np.bincount((ids + offsets).ravel(), minlength=height * width * (classes + 1))
    commonest = counts.reshape(height, width, classes + 1).argmax(axis=-1)
    return np.where(commonest == classes, VOID, commonest)


@torch.no_grad()
def read_cells(
    encoder: Encoder, dataset: Dataset, images: int, cells: int, classes: int, split: str
) -> Cells:
    """Encodes images of a split, and draws labelled cells of them.

    Args:
        encoder: run in evaluation mode, on its own device.
        dataset: the split; its images, at their own size, must fit the encoder.
        images: number of images at most, spread evenly over the split.
        cells: number of cells at most; every image gives at most its share of them.
        classes: number of evaluated classes.
        split: name for messages.

    Raises:
        TrainingError: an image has no labels, or there is no labelled cell.
    """
    images = min(images, len(dataset))
    rng = np.random.default_rng(_SEED)
    stride = nearest_stride(encoder.spec.strides, STRIDE)
    device = next(encoder.parameters()).device
    features, labels = [], []
    was_training = encoder.training
    encoder.eval()
    for position in np.linspace(0, len(dataset) - 1, images).round().astype(int):
        sample = dataset[int(position)]
        if sample.semantic is None:
            raise TrainingError(
                f"{split}: image {sample.image_id!r} has no labels of classes; probing needs them"
            )
        image = torch.tensor(sample.image).permute(2, 0, 1)[None].to(device).float() / 255
        tokens = encoder(image, [stride])[stride][0].flatten(1).T.float().cpu()  # (h w, C)
        majority = majority_classes(sample.semantic, stride, classes).ravel()
        kept = rng.permutation(np.flatnonzero(majority != VOID))[: cells // images]
        features.append(tokens[kept])
        labels.append(torch.from_numpy(majority[kept]))
    encoder.train(was_training)
    if not sum(map(len, labels)):
        raise TrainingError(f"{split}: no labelled cell in {len(dataset)} images; probing needs some")
    return Cells(torch.cat(features), torch.cat(labels))


def _nearest_neighbours(known: Cells, unseen: Tensor, classes: int) -> Tensor:
    """Returns what most of the nearest training cells are, ``(N,)``."""
    reference = F.normalize(known.features, dim=1).T
    votes = F.one_hot(known.classes, classes)
    count = min(NEIGHBOURS, len(known.classes))
    predicted = []
    for chunk in F.normalize(unseen, dim=1).split(_CHUNK):
        nearest = (chunk @ reference).topk(count, dim=1).indices  # (n, k)
        predicted.append(votes[nearest].sum(dim=1).argmax(dim=1))
    return torch.cat(predicted)


def _linear(known: Cells, unseen: Tensor, classes: int) -> Tensor:
    """Returns what a logistic regression fitted to training cells says, ``(N,)``."""
    mean, std = known.features.mean(dim=0), known.features.std(dim=0, correction=0).clamp_min(1e-6)
    inputs = (known.features - mean) / std
    weight = torch.zeros(classes, inputs.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        fit = F.cross_entropy(F.linear(inputs, weight, bias), known.classes)
        total = fit + _PENALTY * weight.square().sum() / 2
        total.backward()
        return total

    optimiser.step(loss)
    with torch.no_grad():
        return F.linear((unseen - mean) / std, weight, bias).argmax(dim=1)
