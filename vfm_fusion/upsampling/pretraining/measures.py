"""What an upsampler has learned, on images that it has not learned from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import TrainingError
from vfm_fusion.upsampling.pretraining.task import UpsamplerTraining
from vfm_fusion.upsampling.pretraining.views import Views, draw_crop
from vfm_fusion.upsampling.resampling import imagenet_normalised
from vfm_fusion.upsampling.upsampler import Upsampler

MOST_HELD_OUT = 16
_SHARE = 10
_CROPS, _LOSS = 3, 4  # streams of random numbers, beside those of the task and of the loop


def held_out(images: int) -> list[int]:
    """Returns which of so many images are not learned from: a tenth, at most 16, spread over all of them.

    Raises:
        TrainingError: there is one image only, or none.
    """
    if images < 2:
        raise TrainingError(
            f"found {images} training images, but some are learned from and some are held out; give two or "
            "more"
        )
    count = min(MOST_HELD_OUT, max(1, images // _SHARE))
    return [images * number // count for number in range(count)]


def measures(task: UpsamplerTraining, unseen: Dataset) -> dict[str, float]:
    """Measures the task's upsampler.

    Args:
        task: in evaluation mode.
        unseen: images that it does not learn from, of each of which a crop is taken.

    Returns:
        ``loss``, its own, with what is drawn being the same at every call; and what :func:`fidelity` gives.
    """
    losses, weights = [], []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(task.derive(_LOSS))
        for views in _views(task, unseen):
            losses.append(sum(task.objective(task.upsampler, views).values()).item())
            weights.append(len(views.images))
    return {"loss": float(np.average(losses, weights=weights)), **fidelity(task.upsampler, task, unseen)}


def fidelity(upsampler: Upsampler, task: UpsamplerTraining, unseen: Dataset) -> dict[str, float]:
    """Measures how near upsampled maps are to those of the images at twice the size.

    As in use, the upsampler sees the image that the maps are of.

    Args:
        upsampler: any, in evaluation mode.
        task: gives maps and crops.
        unseen: see :func:`measures`.

    Returns:
        ``cosine``, the mean over positions, and ``error``, the root of the mean squared difference over the
        deviation of the larger images' maps: 1 for a map that is their mean everywhere.
    """
    made, wanted = [], []
    with torch.no_grad():
        for views in _views(task, unseen):
            side = views.fitted(views.side / 2)
            image, whole = views.resized(side), views.maps(views.resized(2 * side))
            made.append(upsampler.up(views.maps(image), imagenet_normalised(image), tuple(whole.shape[-2:])))
            wanted.append(whole)
    found, target = torch.cat(made), torch.cat(wanted)
    spread = (target - target.mean(dim=(0, 2, 3), keepdim=True)).square().mean()
    return {
        "cosine": F.cosine_similarity(found, target, dim=1).mean().item(),
        "error": ((found - target).square().mean() / spread).sqrt().item(),
    }


def _views(task: UpsamplerTraining, unseen: Dataset) -> Iterator[Views]:
    """The same crops at every call, as many at once as training has."""
    size, recipe = task.recipe.batch_size, task.recipe
    for first in range(0, len(unseen), size):
        crops = [
            draw_crop(
                unseen.image(number),
                recipe.side,
                recipe.crop,
                np.random.default_rng(task.derive(_CROPS, number)),
            )
            for number in range(first, min(first + size, len(unseen)))
        ]
        images: Tensor = torch.from_numpy(np.stack(crops)).float() / 255
        yield Views(task.encoder, task.stride, images)
