"""What upsampled maps are worth before any click: SC, EF, a linear probe, time and memory."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from vfm_fusion.config.base import Section
from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.features.profiled import profiled_image
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.interactive.map_probe import MapProbe
from vfm_fusion.interactive.seen_maps import device_of
from vfm_fusion.interactive.stride_maps import MAP_TOO_SMALL, StrideMap, StrideMaps
from vfm_fusion.metrics.profile import profile_image, summarise
from vfm_fusion.profiles.labelled_pixels import Draw
from vfm_fusion.profiles.null_excess import with_excess
from vfm_fusion.upsampling.upsampler import Upsampler
from vfm_fusion.workflow.progress import progress

SCORES = {"sc": "SC", "ef": "EF", "sc_null": "SC_null", "ef_null": "EF_null"}
"""Score of a profile to its name in results."""
EXCESS = {"sc_excess": "SC_excess", "ef_excess": "EF_excess"}
"""What is averaged beside them."""


class Measuring(Section):
    """How upsampled maps are measured.

    Attributes:
        images: most images, evenly spaced.
        probe_images: most training images of the probe, evenly spaced.
        pixels: most pixels of an image that the probe learns from or is scored on.
        ridge: ridge strength of the probe.
        image_size: the size at which images are profiled; None for their own.
        metrics: the stride of the maps, one, and the definition, one.
    """

    images: int
    probe_images: int
    pixels: int
    ridge: float
    image_size: ImageSize | None
    metrics: ProfileConfig


@dataclass(frozen=True)
class Measured:
    """What was found.

    Attributes:
        quality: plain data without times: ``images``, ``parameters``, ``stride``, ``definition``, ``scores``
            (each but the probe's with its interval), ``probe`` (images that it learnt from and was scored
            on), and see :meth:`StrideMaps.of_largest`.
        images: one row an image: ``image_id``, :data:`SCORES` by their names, ``reason``.
        cost: plain data of this machine: ``seconds`` of upsampling an image, the median; ``device``,
            ``threads``.
    """

    quality: dict[str, Any]
    images: pd.DataFrame
    cost: dict[str, Any]


def measure_upsampler(
    featurizer: Featurizer,
    upsampler: Upsampler,
    dataset: Dataset,
    train: Dataset | None,
    measuring: Measuring,
    names: tuple[str, str],
) -> Measured:
    """Scores the maps of an encoder, upsampled to a stride, one image after another.

    Args:
        featurizer: the encoder.
        upsampler: the upsampler.
        dataset: the images that are scored.
        train: labelled images of the same classes, for the probe; None where there are none.
        measuring: how.
        names: of encoder and upsampler, for messages.

    Raises:
        ConfigError: the encoder's map is finer than the stride.
        CorruptImageError: an image or a label file is damaged.
    """
    maps = StrideMaps(featurizer, upsampler, measuring.metrics, measuring.image_size, names[0])
    probe = MapProbe(maps, Draw(measuring.pixels, measuring.metrics.seed))
    if train is not None:
        probe.learn(train, measuring.probe_images, measuring.ridge)
    chosen, tables, seconds = subset(len(dataset), measuring.images), [], []
    for position in progress(chosen, f"measure: {' '.join(names)}", len(chosen)):
        pixels = dataset.image(position)
        made = maps(pixels)
        table = _undefined(measuring.metrics) if made is None else _scored(made, pixels, measuring)
        table.insert(0, "image_id", dataset.ids[position])
        tables.append(table)
        if made is not None:
            probe.score(made, dataset, position)
            seconds.append(made.seconds)
    scores = pd.concat(tables, ignore_index=True)
    told = {
        "images": len(chosen),
        "parameters": sum(parameter.numel() for parameter in upsampler.parameters()),
        "stride": measuring.metrics.strides[0],
        "definition": next(iter(measuring.metrics.definitions)),
        "scores": {**_summary(scores, measuring.metrics), "probe_mIoU": probe.mean_iou},
        "probe": {"learnt": probe.learnt, "scored": probe.scored, "reason": probe.reason},
        **maps.of_largest(),
    }
    cost = {
        "device": device_of(featurizer).type,
        "threads": torch.get_num_threads(),
        "seconds": statistics.median(seconds) if seconds else None,
    }
    return Measured(told, _by_image(scores), cost)


def _scored(made: StrideMap, pixels: Any, measuring: Measuring) -> pd.DataFrame:
    image = profiled_image(pixels, measuring.image_size)
    return profile_image({measuring.metrics.strides[0]: made.scored}, image, measuring.metrics)


def _undefined(config: ProfileConfig) -> pd.DataFrame:
    """The rows of an image whose map is too small for the upsampler."""
    ((name, definition),) = config.definitions.items()
    wanted = SCORES if definition.null_draws else ("sc", "ef")
    rows = [(name, config.strides[0], score, math.nan, MAP_TOO_SMALL) for score in wanted]
    return pd.DataFrame(rows, columns=["definition", "stride", "score", "value", "reason"])


def _summary(scores: pd.DataFrame, config: ProfileConfig) -> dict[str, dict[str, Any]]:
    """Mean, interval, number of defined images and the commonest reason of every score."""
    names = {**SCORES, **EXCESS}
    found = summarise(with_excess(scores), bootstrap=config.bootstrap, seed=config.seed)
    return {
        names[row.score]: {
            "mean": _number(row.mean),
            "low": _number(row.ci_low),
            "high": _number(row.ci_high),
            "images": row.images,
            "reason": None if pd.isna(row.reason) else row.reason,
        }
        for row in found.itertuples()
        if row.score in names
    }


def _by_image(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of images, in their order, with a column for every score and the first reason of any."""
    kept = scores[scores["score"].isin(SCORES)]
    values = kept.pivot_table(index="image_id", columns="score", values="value", dropna=False)
    found = values.rename(columns=SCORES).reindex(scores["image_id"].unique())
    found["reason"] = kept.groupby("image_id")["reason"].first()
    order = [*(name for name in SCORES.values() if name in found), "reason"]
    return found[order].rename_axis(index="image_id", columns=None).reset_index()


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
