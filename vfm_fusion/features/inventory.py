"""Which feature stores there are and are still to come, what they take, and which are used."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.fitting import fit_image
from vfm_fusion.datasets.index import read_index
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.encode import input_of, sampled
from vfm_fusion.features.layout import StoreLayout, layout_of
from vfm_fusion.features.locks import store_lock
from vfm_fusion.features.manifest import SUFFIX, Manifest
from vfm_fusion.features.space import human, used_bytes


def planned_layout(
    index: Path, spec: EncoderSpec, settings: FeaturesConfig, views: Mapping[str, Any] | None = None
) -> StoreLayout:
    """Lays out the store of an encoder's maps of the images in an index, or of fixed views of them.

    Args:
        index: index of the split.
        spec: the encoder.
        settings: subset, image size, element type, shards.
        views: ``count`` of an image and their ``augmentation``; None for the images themselves.

    Raises:
        DatasetLayoutError: the index is missing or damaged.
    """
    images = read_index(index)
    if views is not None:
        size = input_of(fit_image(*views["augmentation"]["crop"], None), spec.size_divisor).size
        return layout_of([size] * (len(images) * views["count"]), spec, settings)
    chosen = images.iloc[list(sampled(len(images), settings))]
    fits = (
        fit_image(*sides, settings.image_size) for sides in chosen[["height", "width"]].to_numpy().tolist()
    )
    return layout_of([input_of(fit, spec.size_divisor).size for fit in fits], spec, settings)


_PUBLISHED = ("features/*/*.zarr", "features/*/*/*.zarr")
_REPLACED = ("features/*/*.zarr.old", "features/*/*/*.zarr.old")
_UNFINISHED = ("state/features/*/*/store.zarr", "state/features/*/*/*/store.zarr")


@dataclass(frozen=True)
class Stored:
    """A feature store, or what is left of one.

    Attributes:
        path: its folder.
        state: ``complete``, ``unfinished``, ``without manifest``, ``foreign manifest``, ``replaced``.
        manifest: where its manifest is, or would be.
        used: whether the configuration uses a store of this name.
        content: what the manifest says; None where there is none.
        bytes: what it takes on disk.
    """

    path: Path
    state: str
    manifest: Path
    used: bool
    content: Manifest | None
    bytes: int


def find_stores(results: Path, wanted: Collection[Path]) -> list[Stored]:
    """Lists the stores in a folder of results, by path.

    Args:
        results: the folder of results.
        wanted: the manifests that the configuration uses.
    """
    found = [*_published(results, wanted), *_unfinished(results, wanted)]
    for path in _glob(results, _REPLACED):
        manifest = path.with_name(path.name.removesuffix(".old") + SUFFIX)
        found.append(Stored(path, "replaced", manifest, False, None, used_bytes(path)))
    return sorted(found, key=lambda stored: stored.path)


def prunable(stores: Sequence[Stored]) -> list[Stored]:
    """Returns the stores that nothing of the configuration uses."""
    return [stored for stored in stores if not stored.used]


def delete(stores: Sequence[Stored]) -> None:
    """Deletes stores, their manifests first, so that nothing half deleted is trusted.

    Raises:
        FeatureStoreError: a job is writing one of them.
    """
    for stored in stores:
        if stored.state == "unfinished":
            with store_lock(stored.path.parent) as lock:
                lock.claim()
                shutil.rmtree(stored.path)
        else:
            if stored.state != "replaced":
                stored.manifest.unlink(missing_ok=True)
            shutil.rmtree(stored.path)


def print_stores(stores: Sequence[Stored], results: Path, title: str) -> None:
    """Prints a table of stores with their total."""
    table = Table(title=title, title_justify="left")
    for column in ("store", "state", "used"):
        table.add_column(column)
    for column in ("images", "maps (channels x height x width)", "type", "files", "size"):
        table.add_column(column, justify="left" if column.startswith("maps") else "right")
    for stored in stores:
        table.add_row(str(stored.path.relative_to(results)), *_row(stored))
    table.add_section()
    total = sum(stored.bytes for stored in stores)
    table.add_row("total", *[""] * 6, human(total))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def _row(stored: Stored) -> list[str]:
    content, used = stored.content, "yes" if stored.used else "no"
    if content is None:
        return [stored.state, used, "", "", "", "", human(stored.bytes)]
    maps = "\n".join(f"OS {s}: {' x '.join(map(str, shape))}" for s, shape in content.shapes.items())
    files = content.layout.shards * len(content.shapes)
    return [
        stored.state,
        used,
        f"{content.images:,}",
        maps,
        content.dtype,
        f"{files:,}",
        human(stored.bytes),
    ]


def _published(results: Path, wanted: Collection[Path]) -> Iterator[Stored]:
    for path in _glob(results, _PUBLISHED):
        manifest = path.with_name(path.name + SUFFIX)
        content, state = None, "without manifest"
        if manifest.exists():
            try:
                content, state = Manifest.read(manifest), "complete"
            except FeatureStoreError:
                state = "foreign manifest"
        yield Stored(path, state, manifest, manifest in wanted, content, used_bytes(path))


def _unfinished(results: Path, wanted: Collection[Path]) -> Iterator[Stored]:
    for path in _glob(results, _UNFINISHED):
        name = path.parent.relative_to(results / "state" / "features")
        manifest = results / "features" / name.with_name(f"{name.name}.zarr{SUFFIX}")
        yield Stored(path, "unfinished", manifest, manifest in wanted, None, used_bytes(path))


def _glob(results: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from (path for path in results.glob(pattern) if path.is_dir())
