"""The losses of the upsamplers' authors, at any size.

Maps of small images, upsampled, are held against those of large ones; a mean over images and positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.upsampling.pretraining.multi_view import MultiView
from vfm_fusion.upsampling.pretraining.segments import region_means, segments
from vfm_fusion.upsampling.pretraining.views import Views, disturbed
from vfm_fusion.upsampling.resampling import imagenet_normalised
from vfm_fusion.upsampling.upsampler import Upsampler

LOCAL_CROPS = 4
"""AnyUp's crops of an image whose maps are targets."""
EVEN = 0.8
"""Share of a region's mean in LoftUp's target."""
SIDE_TERM = 0.1
"""Weight of the terms beside the match."""


@dataclass(frozen=True)
class Objective:
    """A loss.

    Attributes:
        losses: makes, of the maps' channels and stride, what gives the weighted terms of a step; a module
            where it learns too.
        terms: their names.
    """

    losses: Callable[[int, int], Callable[[Upsampler, Views], dict[str, Tensor]]]
    terms: tuple[str, ...]


def cosine(made: Tensor, target: Tensor) -> Tensor:
    """The mean over positions of 1 - cosine of ``(B, C, h, w)``."""
    return (1 - F.cosine_similarity(made, target, dim=1)).mean()


def cosine_and_range(made: Tensor, target: Tensor) -> Tensor:
    """:func:`cosine`, and the squared difference in units of the target's range over the channels."""
    low, high = target.amin(1, keepdim=True), target.amax(1, keepdim=True)
    return cosine(made, target) + ((made - target) / (high - low + 1e-6)).square().mean()


def lift(upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
    """LiFT: maps of every second pixel, doubled, against those of all; of every fourth, of every second."""
    images = {step: views.thinned(step) for step in (1, 2, 4)}
    maps = {step: views.maps(image) for step, image in images.items()}
    return {
        name: cosine(_doubled(upsampler, maps[step], images[step]), maps[step // 2])
        for name, step in (("half", 2), ("quarter", 4))
    }


def uplift(upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
    """UPLiFT: from a half, a quarter, an eighth of the side, each doubling against the maps of its size."""
    images = {part: views.resized(views.side // part) for part in (1, 2, 4, 8)}
    maps = {part: views.maps(image) for part, image in images.items()}
    losses = {}
    for name, part in (("half", 2), ("quarter", 4), ("eighth", 8)):
        target, total = part // 2, torch.zeros((), device=views.images.device)
        while target >= 1:
            size = tuple(maps[target].shape[-2:])
            made = upsampler.up(maps[part], imagenet_normalised(images[part]), size)
            total, target = total + F.mse_loss(made, maps[target]), target // 2
        losses[name] = total
    return losses


def naf(upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
    """NAF: maps of half the side, guided by the whole image, against those of the whole."""
    target = views.maps(views.images)
    low = views.maps(views.resized(views.side // 2))
    made = upsampler.up(low, imagenet_normalised(views.images), tuple(target.shape[-2:]))
    return {"squared": F.mse_loss(made, target)}


def jafar(upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
    """JAFAR: maps of a random quarter to half of the side against those of the whole, guided by its half.

    And under a disturbed guidance the maps of the whole become the same at half the image's size.
    """
    share = 0.25 + 0.25 * torch.rand(()).item()
    target, low = views.maps(views.images), views.maps(views.resized(views.fitted(share * views.side)))
    image = views.resized(views.side // 2)
    made = upsampler.up(low, imagenet_normalised(image), tuple(target.shape[-2:]))
    return {"match": cosine_and_range(made, target), "steady": _steady(upsampler, target, image)}


def anyup(upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
    """AnyUp: maps of the image at half the side, upsampled to the whole's, against crops of the whole.

    And under a disturbed guidance they stay the same, and made small again they are the maps of the half.
    """
    half, stride = views.side // 2, views.stride
    image = views.resized(half)
    low = views.maps(image)
    cells, seen = views.side // stride, half // stride
    made = upsampler.up(low, imagenet_normalised(image), (cells, cells))
    step = views.unit // stride
    places = step * torch.randint((cells - seen) // step + 1, (LOCAL_CROPS, 2))
    match = torch.zeros((), device=made.device)
    for row, column in places.tolist():
        crop = views.images[..., row * stride :, column * stride :][..., :half, :half]
        cut = made[..., row : row + seen, column : column + seen]
        match = match + cosine_and_range(cut, views.maps(crop)) / LOCAL_CROPS
    small = F.interpolate(made, size=tuple(low.shape[-2:]), mode="area")
    return {
        "match": match,
        "steady": _steady(upsampler, low, image),
        "shrunk": SIDE_TERM * cosine_and_range(small, low),
    }


def loftup(upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
    """LoftUp, first stage: the image's size, against maps made even within regions.

    The target is the bicubic map, of which four fifths are replaced by its mean over the region. The regions,
    which the authors have from SAM, are those of like colour here.
    """
    low = views.maps(views.images)
    size = tuple(views.images.shape[-2:])
    fine = F.interpolate(low, size=size, mode="bicubic", align_corners=False).flatten(2)
    regions = segments(views.images, 2 * views.stride).flatten(1)
    means, _ = region_means(fine, regions, int(regions.max()) + 1)
    even = means.gather(2, regions[:, None].expand(-1, fine.shape[1], -1))
    target = (EVEN * even + (1 - EVEN) * fine).unflatten(2, size)
    return {"squared": F.mse_loss(upsampler.up(low, imagenet_normalised(views.images), size), target)}


OBJECTIVES = {
    "jbu": Objective(MultiView, ("views", "crf")),
    "lift": Objective(lambda *_: lift, ("half", "quarter")),
    "loftup": Objective(lambda *_: loftup, ("squared",)),
    "anyup": Objective(lambda *_: anyup, ("match", "steady", "shrunk")),
    "jafar": Objective(lambda *_: jafar, ("match", "steady")),
    "naf": Objective(lambda *_: naf, ("squared",)),
    "uplift": Objective(lambda *_: uplift, ("half", "quarter", "eighth")),
}
"""Name of the upsampler -> its loss."""


def _doubled(upsampler: Upsampler, maps: Tensor, images: Tensor) -> Tensor:
    height, width = maps.shape[-2:]
    return upsampler.up(maps, imagenet_normalised(images), (2 * height, 2 * width))


def _steady(upsampler: Upsampler, maps: Tensor, image: Tensor) -> Tensor:
    """How far a disturbed guidance changes maps at the guidance's size; those by the image are fixed."""
    size = tuple(image.shape[-2:])
    with torch.no_grad():
        target = upsampler.up(maps, imagenet_normalised(image), size)
    return SIDE_TERM * cosine_and_range(
        upsampler.up(maps, imagenet_normalised(disturbed(image)), size), target
    )
