"""The scores of one map by several definitions, what these agree on computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.config.sensitivity import FACTOR_SETTINGS, REGION_SETTINGS, Variant
from vfm_fusion.metrics.clustering import clustering_score
from vfm_fusion.metrics.concentration import concentration
from vfm_fusion.metrics.displacement import precision
from vfm_fusion.metrics.edge_fidelity import EF_SCORES, fidelity
from vfm_fusion.metrics.effective_rank import RANK_SCORES, rankme
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import EdgeRegions, edge_regions
from vfm_fusion.metrics.inputs import check_images, unit_range
from vfm_fusion.metrics.null_floor import null_scores
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.spectrum import frequency
from vfm_fusion.metrics.structural_coherence import SC_SCORES, coherence, score_contrast

SWEPT_SCORES = SC_SCORES + EF_SCORES
"""Every score but the null floors."""

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
        self._size = (image.shape[-2], image.shape[-1])
        self._known: dict[tuple[Any, ...], Any] = {}

    def scores(self, config: MetricConfig) -> dict[str, Score]:
        """Returns sfc, scs, sc, ec, nc, fc, sp and ef by one definition."""
        features = self._features
        if features.reason is not None:
            return dict.fromkeys(SWEPT_SCORES, undefined(features.reason))
        sfc = self._factor("sfc", config, lambda: score_contrast(features, config))
        scs = self._factor("scs", config, lambda: clustering_score(features, config))
        regions = self._regions(config)
        ec, nc = self._factor("concentration", config, lambda: concentration(features, regions, config))
        fc = self._factor("fc", config, lambda: frequency(features, regions, config))
        sp = self._factor("sp", config, lambda: precision(features, regions, self._size, config))
        ef = fidelity({"ec": ec, "nc": nc, "fc": fc, "sp": sp}, config)
        return dict(zip(SWEPT_SCORES, (sfc, scs, coherence(sfc, scs), ec, nc, fc, sp, ef), strict=True))

    def nulls(self, config: MetricConfig) -> dict[str, Score]:
        """Returns sc_null and ef_null by one definition with ``null_draws``."""
        scs = self.scores(config)["scs"]
        return null_scores(self._features, scs, self._regions(config), self._size, config)

    def ranks(self) -> dict[str, Score]:
        """Returns rankme, in which no definition has a say."""
        return dict(zip(RANK_SCORES, (rankme(self._features),), strict=True))

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
