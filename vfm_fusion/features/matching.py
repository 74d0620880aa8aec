"""Opening a store that has to be of certain images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore


def store_of(manifest: Path, image_ids: Sequence[str]) -> FeatureStore:
    """Opens the store of some images, in their order.

    Raises:
        FeatureStoreError: the store or its manifest is missing, or is not of these images.
    """
    store = FeatureStore(manifest)
    if store.image_ids != tuple(image_ids):
        odd = sorted(set(store.image_ids) ^ set(image_ids))
        odd = f", such as {odd[0]!r}" if odd else " in another order"
        raise FeatureStoreError(
            f"{store.path}: holds maps of {len(store)} images{odd}, and {len(image_ids)} others are wanted; "
            f"delete {manifest} and run the workflow again"
        )
    return store
