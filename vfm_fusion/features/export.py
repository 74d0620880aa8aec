"""Export of a feature store to one HDF5 file: ``python -m vfm_fusion.features.export MANIFEST FILE``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from vfm_fusion.atomic import atomic_path
from vfm_fusion.datasets.fitting import describe_fit
from vfm_fusion.errors import FeatureStoreError, VfmFusionError
from vfm_fusion.features.space import free_bytes
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.workflow.progress import progress

_DIMENSIONS = ("image", "channel", "y", "x")


def export_store(store: FeatureStore, path: Path) -> None:
    """Writes a store's native maps into one HDF5 file, atomically.

    The file holds a data set ``os{stride}`` ``(image, channel, y, x)`` per native stride, one image per chunk
    with a Fletcher-32 checksum, and ``image_id``; every field of the manifest is an attribute of the file.
    float16 and float32 stay what they are; bfloat16, which HDF5 lacks, becomes float32, exactly. Where images
    differ in size, ``image_size`` ``(image, 2)`` holds their heights and widths for the encoder: a map takes
    the first height / stride rows and width / stride columns, and the rest is NaN.

    Args:
        store: the store; every map is checked as it is read.
        path: the file; a previous one is replaced when the new one is complete.

    Raises:
        FeatureStoreError: the store is damaged, or the disk lacks room or fails.
    """
    layout = store.layout
    widened = layout.dtype == "bfloat16"
    needed = layout.total_bytes * (2 if widened else 1)
    if needed > free_bytes(path):
        raise FeatureStoreError(
            f"{path}: {needed:,} bytes are needed, {free_bytes(path):,} are free on this disk; free some"
        )
    try:
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            _describe(file, store)
            for stride, shape in layout.shapes.items():
                maps = file.create_dataset(
                    f"os{stride}",
                    shape=(layout.images, *shape),
                    dtype=np.float32 if widened else layout.element.stored,
                    chunks=(1, *shape),
                    fletcher32=True,
                    fillvalue=np.nan,
                )
                maps.attrs["output_stride"] = stride
                for dimension, name in enumerate(_DIMENSIONS):
                    maps.dims[dimension].label = name
            for index in progress(range(layout.images), f"export: {store.manifest.encoder}", layout.images):
                read = store.read(index) if widened else store.read_stored(index)
                for stride, stored in read.items():
                    file[f"os{stride}"][index, :, : stored.shape[1], : stored.shape[2]] = stored
    except OSError as error:
        raise FeatureStoreError(
            f"{path}: {error}; {needed:,} bytes are needed, {free_bytes(path):,} are free on this disk"
        ) from error


def _describe(file: h5py.File, store: FeatureStore) -> None:
    for field in fields(store.manifest):
        value = getattr(store.manifest, field.name)
        if field.name not in ("fit", "shapes") and value is not None:
            file.attrs[field.name] = value
    if store.manifest.fit is not None:
        file.attrs["fit"] = describe_fit(store.manifest.fit)
    if store.layout.sizes is not None:
        file.create_dataset("image_size", data=np.array(store.layout.sizes))
    file.attrs["strides"] = list(store.manifest.shapes)
    file.create_dataset("image_id", data=list(store.image_ids), dtype=h5py.string_dtype())


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("manifest", type=Path, help="<store>.zarr.manifest.json")
    parser.add_argument("file", type=Path, help="HDF5 file to write")
    options = parser.parse_args()
    try:
        export_store(FeatureStore(options.manifest), options.file)
    except VfmFusionError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
