"""The manifest of a feature store: what is in it, how it was made, and what it must be."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.config.image_size import ImageSize, plain_image_size, read_image_size
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.digests import MapTable
from vfm_fusion.features.elements import ELEMENTS
from vfm_fusion.features.layout import StoreLayout

FORMAT = 3
SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a feature store holds and how it was made.

    The digests of the single maps are in ``maps.parquet`` in the store; ``content`` guards that table, so
    that a store that was copied to another's place is refused.

    Attributes:
        dataset: name of the data set.
        encoder: name of the encoder in the configuration.
        architecture: its key in the registry.
        pretraining: how tables name its pre-training.
        weights: SHA-256 of the weight file, or the seed of untrained weights.
        token: hash of everything that the features depend on.
        precision: arithmetic of the encoder.
        dtype: element type of the maps.
        fit: the setting ``features.image_size``: how images are brought to the size they are profiled at.
        image_size: (height, width) in pixels at which they are; None where they differ.
        input_size: (height, width) at which the encoder's model saw them, without the padding that is its
            own; None where they differ.
        images: number of images.
        shard_images: images per shard.
        shapes: native output stride -> (C, h, w), the largest of each.
        content: SHA-256 over the ids of all images, their sizes and the digests of all maps.
    """

    dataset: str
    encoder: str
    architecture: str
    pretraining: str
    weights: str
    token: str
    precision: str
    dtype: str
    fit: ImageSize | None
    image_size: tuple[int, int] | None
    input_size: tuple[int, int] | None
    images: int
    shard_images: int
    shapes: dict[int, tuple[int, int, int]]
    content: str

    @cached_property
    def layout(self) -> StoreLayout:
        """Where the maps lie in the store, but for the sizes of images that differ."""
        return StoreLayout(self.images, self.shapes, self.dtype, self.shard_images)

    def write(self, path: Path) -> None:
        """Writes the manifest atomically; the store must be complete by then."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["fit"] = plain_image_size(self.fit)
        write_json(path, {"format": FORMAT, "stored_as": str(ELEMENTS[self.dtype].stored), **data})

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Reads a manifest.

        Raises:
            FeatureStoreError: the file is missing, is not a manifest, or has another format.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            found = data.pop("format")
            if found != FORMAT:
                raise FeatureStoreError(
                    f"{path}: manifest format {found}, expected {FORMAT}; delete it and extract again"
                )
            if data.pop("stored_as") != str(ELEMENTS[data["dtype"]].stored):
                raise ValueError(f"{data['dtype']} is not stored so")
            data["shapes"] = {int(s): tuple(data["shapes"][s]) for s in sorted(data["shapes"], key=int)}
            data["fit"] = read_image_size(data["fit"])
            for key in ("image_size", "input_size"):
                data[key] = data[key] and tuple(data[key])
            return cls(**data)
        except FileNotFoundError:
            raise FeatureStoreError(f"{path}: no such manifest; extract the features first") from None
        except (UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise FeatureStoreError(f"{path}: not a feature manifest ({error}); extract again") from error


def read_maps(store: Path, manifest: Manifest) -> MapTable:
    """Reads the table of digests of the store that a manifest guards.

    Raises:
        FeatureStoreError: the table is missing or damaged, or is another store's.
    """
    table = MapTable.read(store, list(manifest.shapes))
    if table.content != manifest.content:
        raise FeatureStoreError(
            f"{store}: this is not the store that {store.name}{SUFFIX} was written for (another one was "
            f"copied to its place, or its table of digests has changed); delete {store}{SUFFIX} and run the "
            "workflow again"
        )
    return table


def store_path(manifest: Path) -> Path:
    """Returns the store that a manifest guards: ``x.zarr`` for ``x.zarr.manifest.json``."""
    return manifest.with_name(manifest.name.removesuffix(SUFFIX))
