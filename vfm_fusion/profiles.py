"""The profile of one encoder: SC and EF of its stored features, image by image."""

from __future__ import annotations

import pandas as pd
import torch

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics.profile import profile_image
from vfm_fusion.progress import progress


def profile_store(store: FeatureStore, dataset: Dataset, config: ProfileConfig) -> pd.DataFrame:
    """Scores every image of a feature store.

    Args:
        store: native maps of one encoder.
        dataset: holds the images that the features were extracted from.
        config: strides, metric definition, interpolation of derived strides.

    Returns:
        One row per image, stride and score with columns ``image_id, stride, score, value, reason``.

    Raises:
        FeatureStoreError: the store is damaged, or holds an image that the data set lacks.
    """
    positions = {image_id: position for position, image_id in enumerate(dataset.ids)}
    absent = [image_id for image_id in store.manifest.image_ids if image_id not in positions]
    if absent:
        raise FeatureStoreError(
            f"the features of {store.manifest.encoder} hold {len(absent)} images that the data set lacks "
            f"(first: {absent[0]}); extract them again"
        )
    tables = []
    images = progress(store.manifest.image_ids, f"profile: {store.manifest.encoder}", len(store))
    for index, image_id in enumerate(images):
        native = {stride: torch.from_numpy(array)[None] for stride, array in store.read(index).items()}
        pyramid = derive_pyramid(native, config.strides, config.interpolation)
        image = torch.tensor(dataset.image(positions[image_id])).permute(2, 0, 1)[None]  # (1, 3, H, W)
        table = profile_image(pyramid, image, config)
        table.insert(0, "image_id", image_id)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
