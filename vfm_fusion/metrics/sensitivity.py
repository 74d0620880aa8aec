"""SC and EF of one image by many definitions that differ in single settings (paper, App. A.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.config.sensitivity import FACTOR_SETTINGS, REGION_SETTINGS, Variant
from vfm_fusion.metrics.clustering import clustering_score
from vfm_fusion.metrics.edge_fidelity import EF_SCORES, _concentration, _frequency, _precision, _product
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import EdgeRegions, edge_regions
from vfm_fusion.metrics.inputs import check_images, unit_range
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.structural_coherence import SC_SCORES, coherence, score_contrast

SWEPT_SCORES = SC_SCORES + EF_SCORES
"""Every score of a sweep: those of a profile without the null floors."""

T = TypeVar("T")


class MapScores:
    """The scores of one map by any number of definitions; what two definitions agree on is computed once.

    Each factor is remembered by the values of the settings it depends on
    (:data:`~vfm_fusion.config.sensitivity.FACTOR_SETTINGS`), so another FC threshold costs one spectrum and
    no clustering. The scores are those of ``score_structure`` and ``score_edges``.
    """

    def __init__(self, features: FeatureMap, image: Tensor) -> None:
        """Takes one map and its image ``(1, 3, H0, W0)`` float32 in [0, 1] on the map's device."""
        self._features, self._image = features, image
        self._known: dict[tuple[Any, ...], Any] = {}

    def scores(self, config: MetricConfig) -> dict[str, Score]:
        """Returns sfc, scs, sc, ec, nc, fc, sp and ef by one definition."""
        features, size = self._features, (self._image.shape[-2], self._image.shape[-1])
        if features.reason is not None:
            return dict.fromkeys(SWEPT_SCORES, undefined(features.reason))
        sfc = self._factor("sfc", config, lambda: score_contrast(features, config))
        scs = self._factor("scs", config, lambda: clustering_score(features, config))
        ec, nc = self._factor(
            "concentration", config, lambda: _concentration(features, self._regions(config), config)
        )
        fc = self._factor("fc", config, lambda: _frequency(features, config))
        sp = self._factor("sp", config, lambda: _precision(features, size, config))
        ef = _product((ec, nc, fc, sp), config.scale)
        return dict(zip(SWEPT_SCORES, (sfc, scs, coherence(sfc, scs), ec, nc, fc, sp, ef), strict=True))

    def _regions(self, config: MetricConfig) -> EdgeRegions | str:
        size = (self._features.height, self._features.width)
        return self._once("regions", REGION_SETTINGS, config, lambda: edge_regions(self._image, size, config))

    def _factor(self, name: str, config: MetricConfig, compute: Callable[[], T]) -> T:
        return self._once(name, FACTOR_SETTINGS[name], config, compute)

    def _once(self, what: str, settings: Sequence[str], config: MetricConfig, compute: Callable[[], T]) -> T:
        key = (what, *(getattr(config, setting) for setting in settings))
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def sweep_image(
    pyramid: Mapping[int, FeatureMap], image: Tensor, variants: Sequence[Variant]
) -> pd.DataFrame:
    """Scores the maps of one image by every variant of a definition.

    Args:
        pyramid: ``{output stride: map}``.
        image: ``(1, 3, H0, W0)`` uint8, or floating point in [0, 1].
        variants: see :meth:`~vfm_fusion.config.sensitivity.SensitivityConfig.variants`.

    Returns:
        One row per variant, stride and score with columns ``setting`` (str), ``setting_value`` (JSON, str),
        ``baseline`` (bool), ``stride`` (int64), ``score`` (sfc, scs, sc, ec, nc, fc, sp, ef), ``value``
        (float64, NaN where undefined) and ``reason`` (str, null where defined).

    Raises:
        ShapeError: a shape, dtype or range is not as above.
    """
    check_images(image, batch=1)
    rows = []
    for stride, features in pyramid.items():
        scorer = MapScores(features, unit_range(image, features.device))
        for setting, value, baseline, definition in variants:
            scores = scorer.scores(definition)
            rows += [(setting, value, baseline, stride, score, *scores[score]) for score in SWEPT_SCORES]
    types = {
        "setting": "str",
        "setting_value": "str",
        "baseline": "bool",
        "stride": "int64",
        "score": "str",
        "value": "float64",
        "reason": "str",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)
