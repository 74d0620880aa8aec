"""Pictures of an encoder's maps before and after upsampling, for figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from vfm_fusion.atomic import atomic_path
from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.fitting import Size, fit_image
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.interactive.click_protocol import objects_of
from vfm_fusion.interactive.click_robot import Robot
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.interactive.joint_pca import JointPca
from vfm_fusion.interactive.seen_maps import Seen, is_too_small, see, upsample
from vfm_fusion.interactive.stride_maps import MAP_TOO_SMALL
from vfm_fusion.metrics import reasons
from vfm_fusion.upsampling.upsampler import Upsampler

LOW_RES = "low-res"
"""Name of the encoder's own map."""
LONGER_SIDE = 448
"""Larger images are shown, and their maps upsampled, at this longer side."""


@dataclass(frozen=True)
class ShownImage:
    """An image with its maps as colours.

    Attributes:
        image_id: the image.
        image: ``(H, W, 3)`` uint8, as the encoder is given it.
        first_click: (row, column) in it of the robot's first click on the first object; None without objects.
        maps: ``(3, h, w)`` float16 in [0, 1] of :data:`LOW_RES` and of every upsampler, by name.
        undefined: name to the reason for which an upsampler has none.
    """

    image_id: str
    image: np.ndarray
    first_click: tuple[int, int] | None
    maps: dict[str, np.ndarray]
    undefined: dict[str, str] = field(default_factory=dict)


def show_image(
    featurizer: Featurizer,
    upsamplers: Mapping[str, Upsampler],
    dataset: Dataset,
    position: int,
    setting: ImageSize | None,
    protocol: ClickProtocolConfig,
) -> ShownImage:
    """Colours the maps of an image by the principal components of all of them together.

    The components are those of the encoder's map and of the upsampled ones, brought to its size; each map is
    made twice, so that only one is in memory.

    Args:
        featurizer: the encoder.
        upsamplers: by name.
        dataset: holds the image.
        position: which one.
        setting: the size at which images are profiled.
        protocol: of the first click.

    Raises:
        CorruptImageError: the image or its labels are damaged.
    """
    seen = see(featurizer, dataset.image(position), setting)
    image = seen.image[0].permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().cpu().numpy()
    size, own = _shown_size(seen), seen.features[0].cpu()
    small = {LOW_RES: own}
    undefined = {LOW_RES: _spoiled(own)}
    for name, upsampler in upsamplers.items():
        if is_too_small(upsampler, seen):
            undefined[name] = MAP_TOO_SMALL
            continue
        values = upsample(upsampler, seen, size)
        undefined[name] = _spoiled(values)
        small[name] = resize_to(values[None], seen.grid)[0].cpu()
        del values
    drawn = [name for name, reason in undefined.items() if reason is None]
    colors = {}
    if drawn:
        pca = JointPca.of([small[name] for name in drawn])
        for name in drawn:
            values = own if name == LOW_RES else upsample(upsamplers[name], seen, size).cpu()
            colors[name] = pca.colors(values).astype(np.float16)
    click = _first_click(dataset, position, setting, image.shape[:2], protocol)
    why = {name: reason for name, reason in undefined.items() if reason is not None}
    return ShownImage(dataset.ids[position], image, click, colors, why)


def write_shown(path: Path, images: Iterable[ShownImage]) -> None:
    """Writes images and maps (HDF5): a group an image, their order in the attribute ``ids``, a JSON list.

    A group has ``image``, a dataset for every map by its name, and the attributes ``first_click`` (where
    there is one) and ``undefined`` (JSON, upsampler to reason).
    """
    ids = []
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for shown in images:
            ids.append(shown.image_id)
            group = file.create_group(shown.image_id)
            if shown.first_click is not None:
                group.attrs["first_click"] = shown.first_click
            group.attrs["undefined"] = json.dumps(shown.undefined)
            for name, values in {**shown.maps, "image": shown.image}.items():
                group.create_dataset(name, data=values, compression="gzip")
        file.attrs["ids"] = json.dumps(ids)


def _shown_size(seen: Seen) -> Size:
    """The size that maps are upsampled to: the image's, or less, but no less than the map's own."""
    given = seen.image.shape[-2:]
    factor = min(1.0, LONGER_SIDE / max(given))
    height, width = (max(own, round(side * factor)) for side, own in zip(given, seen.grid, strict=True))
    return height, width


def _spoiled(values: Tensor) -> str | None:
    """Why a map has no components, or None."""
    if bool(values.isfinite().all()):
        return None
    return reasons.NAN_FEATURES if bool(torch.isnan(values).any()) else reasons.INF_FEATURES


def _first_click(
    dataset: Dataset, position: int, setting: ImageSize | None, shown: Size, protocol: ClickProtocolConfig
) -> tuple[int, int] | None:
    """Where the robot clicks first, in pixels of the shown image; None where there is nothing to click."""
    sample = dataset[position]
    if sample.instances is None:
        return None
    targets = objects_of(sample, dataset.categories, protocol)
    target = next((one for one in targets if one.area), None)
    if target is None:
        return None
    nothing = np.zeros_like(target.mask)
    click = Robot(protocol).place(target.mask, nothing, target.ignored, []).click
    window = fit_image(*sample.image.shape[:2], setting).window
    row, col = (
        int((at + 0.5 - kept.start) * side // (kept.stop - kept.start))
        for at, kept, side in zip((click.row, click.col), window, shown, strict=True)
    )
    return (row, col) if 0 <= row < shown[0] and 0 <= col < shown[1] else None
