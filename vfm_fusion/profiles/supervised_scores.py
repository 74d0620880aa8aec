"""SC_GT of one encoder's stored features, image by image."""

from __future__ import annotations

import numpy as np
import pandas as pd

from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.datasets.base import VOID, Dataset, Sample
from vfm_fusion.features.profiled import profiled_labels
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.supervised import SUPERVISED_SCORES, UNLABELLED, regions_on_grid, score_regions
from vfm_fusion.profiles.stored_maps import stored_maps

LABELS = ("semantic", "instance")
"""Kinds of ground-truth regions."""


def supervised_store(
    store: FeatureStore, dataset: Dataset, config: ProfileConfig, definition: str
) -> pd.DataFrame:
    """Scores every image of a feature store against its labels.

    Args:
        store: native maps of one encoder.
        dataset: the labelled images that the features were extracted from.
        config: strides, interpolation of derived strides, and the definition.
        definition: name of the metric definition whose settings SC_GT shares.

    Returns:
        One row per image, kind of labels, stride and score with columns ``image_id`` (str), ``labels``
        (semantic, instance), ``stride`` (int64), ``score`` (sfc_gt, scs_gt, sc_gt), ``value`` (float64, NaN
        where undefined) and ``reason`` (str, null where defined).

    Raises:
        FeatureStoreError: the store is damaged, or holds an image that the data set lacks.
    """
    rows = []
    for position, pyramid in stored_maps(store, dataset, config, "supervised"):
        sample = dataset[position]
        for labels, whole in sample_regions(sample).items():
            regions = None if whole is None else profiled_labels(whole, store.manifest.fit)
            for stride, features in pyramid.items():
                scores = _score(features, regions, config.definitions[definition])
                rows += [(sample.image_id, labels, stride, name, *scores[name]) for name in SUPERVISED_SCORES]
    frame = pd.DataFrame(rows, columns=["image_id", "labels", "stride", "score", "value", "reason"])
    text = dict.fromkeys(("image_id", "labels", "score", "reason"), "str")
    return frame.astype({**text, "stride": "int64", "value": "float64"})


def sample_regions(sample: Sample) -> dict[str, np.ndarray | None]:
    """Returns the ground-truth regions of an image by kind of labels.

    ``semantic``: one region per class, without void. ``instance``: one per annotated object, without the
    pixels of no object and without crowds, which are several objects.

    Returns:
        Kind to ``(H, W)`` int64, -1 for pixels left out; None where the image has no such labels.
    """
    semantic = instance = None
    if sample.semantic is not None:
        semantic = sample.semantic.astype(np.int64)
        semantic[sample.semantic == VOID] = UNLABELLED
    if sample.instances is not None:
        one_object = np.concatenate([[False], ~sample.instances.crowd])  # by id; 0 is no object
        ids = sample.instances.ids
        instance = np.where(one_object[ids], ids.astype(np.int64), UNLABELLED)
    return dict(zip(LABELS, (semantic, instance), strict=True))


def _score(features: FeatureMap, regions: np.ndarray | None, config: MetricConfig) -> dict[str, Score]:
    if regions is None:
        return dict.fromkeys(SUPERVISED_SCORES, undefined(reasons.NOT_ANNOTATED))
    return score_regions(features, regions_on_grid(regions, (features.height, features.width)), config)
