"""Pictures as a caller has them - a folder, paths, PIL images, arrays - as a data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from vfm_fusion.config.own_folder_data import OwnFolderConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances, Sample
from vfm_fusion.datasets.folders import pair, visible
from vfm_fusion.datasets.images import IMAGE_SUFFIXES, read_image, rgb_pixels
from vfm_fusion.datasets.index import Skipped
from vfm_fusion.datasets.rasters import INDEXED_8, read_labels
from vfm_fusion.datasets.readers.own_folder import list_files
from vfm_fusion.errors import ConfigError, CorruptImageError, DatasetLayoutError, LabelError, ShapeError
from vfm_fusion.workflow.progress import progress

Picture = str | Path | Image.Image | np.ndarray
"""A path, a PIL image or an array ``(H, W, 3)`` uint8."""

Mask = str | Path | Image.Image | np.ndarray
"""A path, a PIL image or an array ``(H, W)`` of class ids, 255 being void."""


@dataclass(frozen=True)
class _Item:
    """One picture, perhaps with its mask; an array where there is no file."""

    image_id: str
    picture: Path | np.ndarray
    mask: Path | np.ndarray | None = None

    def labels(self) -> np.ndarray | None:
        """Decodes the mask: ``(H, W)`` uint8."""
        return read_labels(self.mask, INDEXED_8) if isinstance(self.mask, Path) else self.mask

    def pixels(self, labels: np.ndarray | None) -> np.ndarray:
        """Decodes the picture: ``(H, W, 3)`` uint8."""
        if isinstance(self.picture, Path):
            return read_image(self.picture, None if labels is None else labels.shape)
        return self.picture


class GivenImages(Dataset):
    """Pictures in the order in which they were given, those of a folder sorted by their paths.

    Every one is decoded once when it is opened, so that what is wrong with one is said before anything is
    computed.

    Args:
        items: the pictures.
        damaged: what to do about one that cannot be decoded.

    Attributes:
        digest: SHA-256 over the ids and pixels of all.
        labelled: whether they have masks.
        skipped: the damaged ones that were left out.
    """

    def __init__(self, items: Sequence[_Item], damaged: Literal["refuse", "skip"] = "refuse") -> None:
        kept, rows, skipped, digest = [], [], [], hashlib.sha256()
        for item in progress(items, "images", len(items)):
            try:
                labels = item.labels()
                pixels = item.pixels(labels)
                _check_mask(item.image_id, labels, pixels)
            except (CorruptImageError, LabelError) as error:
                if damaged == "refuse":
                    raise
                skipped.append(Skipped(item.image_id, str(error)))
                continue
            kept.append(item)
            rows.append((item.image_id, *pixels.shape[:2]))
            for part in (repr(rows[-1]).encode(), pixels, *(() if labels is None else (labels,))):
                digest.update(hashlib.sha256(np.ascontiguousarray(part)).digest())
        if not kept:
            raise CorruptImageError(f"every image is damaged; the first: {skipped[0].reason}")
        super().__init__(Path(), pd.DataFrame(rows, columns=["image_id", "height", "width"]))
        self._items = kept
        self.digest = digest.hexdigest()
        self.labelled = kept[0].mask is not None
        self.skipped = tuple(skipped)

    @property
    def smallest(self) -> tuple[int, int]:
        """The smallest height and the smallest width."""
        height, width = self._index[["height", "width"]].min()
        return int(height), int(width)

    @property
    def categories(self) -> tuple[Category, ...]:
        """None are named: the ids of masks only tell regions apart."""
        return ()

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`Dataset.labels`."""
        return self._items[position].labels(), None

    def image(self, position: int) -> np.ndarray:
        """See :meth:`Dataset.image`."""
        return self[position].image

    def __getitem__(self, position: int) -> Sample:
        """See :meth:`Dataset.__getitem__`."""
        item = self._items[position]
        labels = item.labels()
        return Sample(item.image_id, item.pixels(labels), labels, None)


def given_images(
    images: Picture | Iterable[Picture],
    labels: Mask | Iterable[Mask] | None = None,
    damaged: Literal["refuse", "skip"] = "refuse",
) -> GivenImages:
    """Opens pictures.

    Args:
        images: a folder (searched at any depth), one picture, or several.
        labels: masks of classes: a folder in which each has its picture's path up to the extension, or one
            per picture, in their order.
        damaged: whether pictures that cannot be decoded are refused or left out.

    Raises:
        ConfigError: ``damaged`` is something else.
        DatasetLayoutError: there is no such file or folder, no picture, one twice, or not a mask for each.
        CorruptImageError: a picture cannot be decoded, or a mask has another size.
        ShapeError: an array is not ``(H, W, 3)`` uint8, or a mask not ``(H, W)`` of ids.
    """
    if damaged not in ("refuse", "skip"):
        raise ConfigError(f"damaged: expected 'refuse' or 'skip'; found {damaged!r}")
    items = _pictures(images)
    if labels is not None:
        items = _with_masks(items, labels)
    (image_id, times), *_ = Counter(item.image_id for item in items).most_common(1)
    if times > 1:
        raise DatasetLayoutError(f"images: {image_id} is given {times} times; give every picture once")
    return GivenImages(items, damaged)


def _pictures(images: Picture | Iterable[Picture]) -> list[_Item]:
    if isinstance(images, str | Path):
        folder = Path(images).expanduser()
        if folder.is_dir():
            settings = OwnFolderConfig(kind="folder", root=str(folder))
            files = list_files(settings, folder, "val").files
            return [_Item(file.image_id, folder / file.image) for file in files]
        return [_Item(folder.name, _existing(folder, "images"))]
    if isinstance(images, Image.Image) or getattr(images, "ndim", None) in (2, 3):
        images = [images]
    if not isinstance(images, Iterable):
        raise ShapeError(
            f"images: expected a folder, paths, PIL images or arrays (H, W, 3) uint8, found "
            f"{type(images).__name__}"
        )
    pictures = list(images)
    if not pictures:
        raise DatasetLayoutError("images: there are none; give at least one picture, better fifty")
    paths = [Path(one).expanduser() for one in pictures if isinstance(one, str | Path)]
    named = {path: path.name for path in paths}
    if len(set(named.values())) < len(named):
        named = {path: path.as_posix() for path in paths}
    width = len(str(len(pictures) - 1))
    return [_item(one, f"images[{at}]", f"{at:0{width}d}", named) for at, one in enumerate(pictures)]


def _item(picture: object, where: str, number: str, named: dict[Path, str]) -> _Item:
    if isinstance(picture, str | Path):
        path = Path(picture).expanduser()
        return _Item(named[path], _existing(path, where))
    if isinstance(picture, Image.Image):
        return _Item(number, rgb_pixels(ImageOps.exif_transpose(picture), where))
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,):
        return _Item(number, np.ascontiguousarray(picture))
    raise ShapeError(f"{where}: expected a path, a PIL image or an array (H, W, 3) uint8, {_found(picture)}")


def _found(picture: object) -> str:
    """Says what a thing is that is no picture, and how it becomes one."""
    shape, dtype = getattr(picture, "shape", None), getattr(picture, "dtype", None)
    if shape is None or dtype is None:
        return f"found {type(picture).__name__}"
    text = f"found {type(picture).__name__} {tuple(shape)} {str(dtype).removeprefix('torch.')}"
    if not isinstance(picture, np.ndarray):
        scaled = "" if text.endswith(" uint8") else ".mul(255).round().byte()"
        return f"{text}; turn it into an array: .permute(1, 2, 0){scaled}.cpu().numpy()"
    if picture.ndim == 2:
        return f"{text}; repeat the grey channel: np.repeat(image[..., None], 3, axis=2)"
    if picture.ndim == 3 and len(picture) == 3 != shape[2]:
        return f"{text}; its channels come first: image.transpose(1, 2, 0)"
    if picture.ndim == 3 and shape[2] == 4:
        return f"{text}; leave the alpha channel out: image[..., :3]"
    if picture.ndim == 3 and picture.dtype.kind in "iu" and picture.dtype != np.uint8:
        return f"{text}; bring its values to 0 .. 255 and convert it: image.astype(np.uint8)"
    return f"{text}; convert it, as by (image * 255).round().astype(np.uint8) from 0 .. 1"


def _existing(path: Path, where: str) -> Path:
    if not path.exists():
        raise DatasetLayoutError(f"{where}: {path}: no such file or folder; correct the path")
    if path.is_dir():
        raise DatasetLayoutError(f"{where}: {path} is a folder; give it alone, or the pictures in it")
    return path


def _with_masks(items: list[_Item], labels: Mask | Iterable[Mask]) -> list[_Item]:
    if isinstance(labels, str | Path) and not (len(items) == 1 and Path(labels).expanduser().is_file()):
        masks: list[object] = _masks_of_folder(items, Path(labels).expanduser())
    else:
        one = isinstance(labels, str | Path | Image.Image) or getattr(labels, "ndim", None) == 2
        masks = [labels] if one else list(labels)
    if len(masks) != len(items):
        raise DatasetLayoutError(
            f"labels: {len(masks)} masks for {len(items)} images; give one for each, in their order"
        )
    return [
        _Item(item.image_id, item.picture, _mask(mask, f"labels[{at}]"))
        for at, (item, mask) in enumerate(zip(items, masks, strict=True))
    ]


def _masks_of_folder(items: list[_Item], folder: Path) -> list[object]:
    if not folder.is_dir():
        raise DatasetLayoutError(f"labels: {folder}: no such folder; correct the path")
    stems = [str(PurePosixPath(item.image_id).with_suffix("")) for item in items]
    found = {
        path.with_suffix("").as_posix(): folder / path
        for path in visible(folder, "**/*")
        if path.suffix.lower() in IMAGE_SUFFIXES
    }
    pair(stems, found.keys() & set(stems), folder, "{}.png")
    return [found[stem] for stem in stems]


def _mask(mask: object, where: str) -> Path | np.ndarray:
    if isinstance(mask, str | Path):
        return _existing(Path(mask).expanduser(), where)
    ids = np.asarray(mask)
    if ids.ndim != 2 or ids.dtype.kind not in "ui":
        raise ShapeError(f"{where}: expected an array (H, W) of class ids, found {ids.shape} {ids.dtype}")
    if ids.size and (ids.min() < 0 or ids.max() > VOID):
        raise ShapeError(
            f"{where}: expected class ids 0 .. 254, and {VOID} for void; found {ids.min()} .. {ids.max()}"
        )
    return ids.astype(np.uint8)


def _check_mask(image_id: str, labels: np.ndarray | None, pixels: np.ndarray) -> None:
    if labels is not None and labels.shape != pixels.shape[:2]:
        raise CorruptImageError(
            f"{image_id}: its mask is {labels.shape} pixels (height, width), the image {pixels.shape[:2]}; "
            "give the mask of this image, at its size"
        )
