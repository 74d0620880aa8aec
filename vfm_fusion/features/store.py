"""Reading a feature store, never trusting it further than its manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.manifest import Manifest, digest_of, store_path


class FeatureStore:
    """Native feature maps of one encoder on one set of images.

    Attributes:
        manifest: what the store holds.
    """

    def __init__(self, manifest_path: Path) -> None:
        """Opens the store that a manifest guards.

        Raises:
            FeatureStoreError: the manifest or the store is missing, or they do not belong together.
        """
        self.manifest = Manifest.read(manifest_path)
        self._path = store_path(manifest_path)
        self._arrays: dict[int, zarr.Array] = {}
        count = len(self.manifest.digests)
        for stride, shape in self.manifest.shapes.items():
            array = open_array(self._path, stride)
            if array.shape != (count, *shape) or array.dtype != np.dtype(self.manifest.dtype):
                raise FeatureStoreError(
                    f"{self._path}, OS={stride}: {array.dtype} {array.shape}, but the manifest says "
                    f"{self.manifest.dtype} {(count, *shape)}; {remedy(self._path)}"
                )
            self._arrays[stride] = array

    def __len__(self) -> int:
        """Number of images."""
        return len(self.manifest.digests)

    def read(self, index: int) -> dict[int, np.ndarray]:
        """Reads one image's maps and checks them against the manifest.

        Args:
            index: position of the image in ``manifest.image_ids``.

        Returns:
            ``{stride: (C, h, w)}`` float32.

        Raises:
            FeatureStoreError: a chunk is missing, truncated or altered; names store, image and stride.
        """
        image = self.manifest.image_ids[index]
        maps = {}
        for stride, expected in self.manifest.digests[image].items():
            array = read_unit(self._arrays[stride], index, self._path, image, stride)
            if digest_of(array) != expected:
                raise FeatureStoreError(
                    f"{self._path}: image {image}, OS={stride}: the stored map is not the one that was "
                    f"extracted "
                    f"(missing or altered chunk); {remedy(self._path)}"
                )
            maps[stride] = array.astype(np.float32)
        return maps

    def verify(self) -> None:
        """Reads and checks every map.

        Raises:
            FeatureStoreError: see :meth:`read`.
        """
        for index in range(len(self)):
            self.read(index)


def open_array(path: Path, stride: int) -> zarr.Array:
    """Opens the array of one stride.

    Raises:
        FeatureStoreError: there is none.
    """
    try:
        return zarr.open_array(path / f"os{stride}", mode="r")
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise FeatureStoreError(
            f"{path}, OS={stride}: no readable array ({error}); {remedy(path)}"
        ) from error


def read_unit(array: zarr.Array, index: int, path: Path, image: str, stride: int) -> np.ndarray:
    """Reads one image's map ``(C, h, w)`` in the stored dtype.

    Raises:
        FeatureStoreError: the chunk is truncated or fails its CRC32C.
    """
    try:
        return np.asarray(array[index])
    except (ValueError, OSError, RuntimeError) as error:
        raise FeatureStoreError(
            f"{path}: image {image}, OS={stride}: the chunk cannot be read ({error}); {remedy(path)}"
        ) from error


def remedy(path: Path) -> str:
    """What to do about a damaged store."""
    return f"delete {path}.manifest.json and run the workflow again to rebuild the damaged maps"
