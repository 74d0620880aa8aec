"""The manifest of a feature store: what is in it, and the digest of every map."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vfm_fusion.atomic import write_json
from vfm_fusion.errors import FeatureStoreError

FORMAT = 1
SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a feature store holds and how it was made.

    Attributes:
        dataset: name of the data set.
        encoder: name of the encoder in the configuration.
        architecture: its key in the registry.
        pretraining: how tables name its pre-training.
        weights: SHA-256 of the weight file, or the seed of untrained weights.
        token: hash of everything that the features depend on.
        dtype: element type of the stored maps.
        image_size: (height, width) of the images in pixels.
        input_size: (height, width) that they were resized to for the encoder.
        shapes: native output stride -> (C, h, w).
        digests: image id -> native output stride -> SHA-256 of the stored bytes, in the order of the store.
    """

    dataset: str
    encoder: str
    architecture: str
    pretraining: str
    weights: str
    token: str
    dtype: str
    image_size: tuple[int, int]
    input_size: tuple[int, int]
    shapes: dict[int, tuple[int, int, int]]
    digests: dict[str, dict[int, str]]

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Ids of the images, in the order of the store."""
        return tuple(self.digests)

    def write(self, path: Path) -> None:
        """Writes the manifest atomically; the store must be complete by then."""
        data = asdict(self)
        data["digests"] = [[image, digests] for image, digests in self.digests.items()]
        write_json(path, {"format": FORMAT, **data})

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
                raise FeatureStoreError(f"{path}: manifest format {found}, expected {FORMAT}; extract again")
            data["digests"] = {
                image: {int(stride): digest for stride, digest in digests.items()}
                for image, digests in data["digests"]
            }
            data["shapes"] = {int(stride): tuple(shape) for stride, shape in data["shapes"].items()}
            for key in ("image_size", "input_size"):
                data[key] = tuple(data[key])
            return cls(**data)
        except FileNotFoundError:
            raise FeatureStoreError(f"{path}: no such manifest; extract the features first") from None
        except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise FeatureStoreError(f"{path}: not a feature manifest ({error}); extract again") from error


def store_path(manifest: Path) -> Path:
    """Returns the store that a manifest guards: ``x.zarr`` for ``x.zarr.manifest.json``."""
    return manifest.with_name(manifest.name.removesuffix(SUFFIX))


def digest_of(array: np.ndarray) -> str:
    """Returns the SHA-256 of an array's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
