"""Which images of a data set of the user's own belong to a split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.own_data import FractionSplit, ListSplit, OwnData
from vfm_fusion.errors import DatasetLayoutError

NOT_LISTED = "images that no list of a split names"


def of_split(keys: Sequence[str], config: OwnData, root: Path, split: str) -> tuple[list[str], int]:
    """Picks the images of a split out of those that were found.

    Args:
        keys: paths of the images below their folder; each once.
        config: the data set's settings.
        root: its folder.
        split: ``train`` or ``val``.

    Returns:
        The paths of the split; and how many images belong to no split.

    Raises:
        DatasetLayoutError: there is no such split, a list is missing or names what is no image, the same
            image twice or one of the other split, or there are too few images for two splits.
    """
    if split == "train" and not config.has_training_split:
        raise DatasetLayoutError(
            f"{root}: no image is for training, since the data set has no `split`; set it to "
            "{kind: fraction, val: 0.2} or another of docs/your_data.md"
        )
    if isinstance(config.split, FractionSplit):
        return _drawn(keys, config.split, root, split), 0
    if isinstance(config.split, ListSplit):
        lists = {"train": config.split.train, "val": config.split.val}
        named = {name: _named(root / path, keys) for name, path in lists.items() if path is not None}
        both = set(named.get("train", ())) & set(named["val"])
        if both:
            raise DatasetLayoutError(
                f"{root / config.split.val}: {min(both)!r} is in {config.split.train} too, one of "
                f"{len(both)} such; what is evaluated must not be trained on"
            )
        return named[split], len(keys) - sum(map(len, named.values()))
    return list(keys), 0


def _stem(key: str) -> str:
    return str(PurePosixPath(key).with_suffix(""))


def _drawn(keys: Iterable[str], lot: FractionSplit, root: Path, split: str) -> list[str]:
    """The images of a split in the order of a digest, which does not depend on what else there is."""
    order = sorted(keys, key=lambda key: hashlib.sha256(f"{lot.seed} {key}".encode()).digest())
    if len(order) < 2:
        raise DatasetLayoutError(
            f"{root}: {len(order)} images are too few to split; leave out `split`, or add images"
        )
    held_out = min(max(1, round(lot.val * len(order))), len(order) - 1)
    return order[:held_out] if split == "val" else order[held_out:]


def _named(path: Path, keys: Sequence[str]) -> list[str]:
    """The images that a text file names, by their paths with or without the extension."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetLayoutError(
            f"{path}: cannot be read as a list of images ({error}); write the path of an image in each line"
        ) from error
    stems = Counter(_stem(key) for key in keys)
    known = {_stem(key): key for key in keys if stems[_stem(key)] == 1} | {key: key for key in keys}
    found: dict[str, int] = {}
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line:
            continue
        key = known.get(line)
        if key is None:
            raise DatasetLayoutError(
                f"{path}, line {number}: {line!r} is no image of this data set; expected its path below the "
                f"folder of the images{did_you_mean(line, known)}"
            )
        if key in found:
            raise DatasetLayoutError(f"{path}, line {number}: {line!r} is in line {found[key]} already")
        found[key] = number
    return list(found)
