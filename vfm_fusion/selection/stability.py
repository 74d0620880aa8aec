"""How stable a chosen pair and stride are: under resampled images, fewer images and other metric seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vfm_fusion.errors import SelectionError
from vfm_fusion.profiles.null_excess import with_excess
from vfm_fusion.selection.pair_scores import Measured
from vfm_fusion.selection.rule import SCORES, Choices, choose
from vfm_fusion.selection.ruled_strides import resampled
from vfm_fusion.selection.stride_score import rule_named

PARTS: dict[str, tuple[str, ...]] = {
    "master": ("master",),
    "auxiliary": ("auxiliary",),
    "pair": ("master", "auxiliary"),
    "stride": ("stride",),
    "pair_and_stride": ("master", "auxiliary", "stride"),
}
"""What of a choice may agree, and what it consists of."""

ONE_IMAGE = "there is one image, so every resample is the same and stability is unknown"


@dataclass(frozen=True)
class ImageScores:
    """SC and EF of every image by one definition.

    Attributes:
        encoders: in alphabetical order.
        strides: output strides, ascending.
        images: image ids, the same for all encoders.
        values: name of a score -> ``(encoders, strides, images)`` float64, NaN where undefined.
    """

    encoders: tuple[str, ...]
    strides: tuple[int, ...]
    images: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]

    def means(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Averages over weighted images, undefined ones left out.

        Args:
            weights: ``(R, images)``: how often each image counts.

        Returns:
            score -> ``(R, encoders, strides)``; NaN where no defined image counts.
        """
        shape = (len(weights), len(self.encoders), len(self.strides))
        means = {}
        for score, values in self.values.items():
            flat = values.reshape(-1, len(self.images)).T  # (images, encoders * strides)
            defined = ~np.isnan(flat)
            total = weights @ np.where(defined, flat, 0.0)
            count = weights @ defined
            mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
            means[score] = mean.reshape(shape)
        return means


def image_scores(
    tables: Mapping[str, pd.DataFrame], definition: str, names: Iterable[str] = SCORES
) -> ImageScores:
    """Aligns the per-image scores of several encoders.

    Args:
        tables: encoder -> columns ``image_id, definition, stride, score, value``.
        definition: the one to read.
        names: scores to read.

    Raises:
        SelectionError: an encoder lacks the definition, or encoders were scored on different images.
    """
    encoders = tuple(sorted(tables))
    frames = {
        encoder: tables[encoder].loc[
            lambda table: (table["definition"] == definition) & table["score"].isin(list(names))
        ]
        for encoder in encoders
    }
    images = {encoder: set(frame["image_id"]) for encoder, frame in frames.items()}
    first = images[encoders[0]]
    for encoder in encoders:
        if not images[encoder]:
            raise SelectionError(
                f"{encoder}: there is no score by definition {definition!r}; profile it again"
            )
        if images[encoder] != first:
            raise SelectionError(
                f"{encoders[0]} and {encoder} were scored on different images "
                f"({len(first)} and {len(images[encoder])}); profile both again"
            )
    ids = tuple(sorted(first))
    strides = tuple(sorted({int(s) for frame in frames.values() for s in frame["stride"].unique()}))
    wide = {
        encoder: frame.pivot_table(
            index="image_id", columns=["score", "stride"], values="value", dropna=False
        )
        for encoder, frame in frames.items()
    }
    values = {
        score: np.stack(
            [
                wide[encoder]
                .reindex(index=list(ids), columns=[(score, stride) for stride in strides])
                .to_numpy(np.float64)
                .T
                for encoder in encoders
            ]
        )
        for score in names
    }
    return ImageScores(encoders, strides, ids, values)


def assess_stability(
    tables: Mapping[str, pd.DataFrame],
    selection: Mapping[str, Any],
    *,
    draws: int,
    seed: int,
    tables_of_seeds: Mapping[int, Mapping[str, pd.DataFrame]] | None = None,
    metric_seed: int = 0,
    pairs: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Repeats a selection on other draws of the same images, and on scores of other metric seeds.

    Three kinds of repetition, the first two compared with the choice on all images:

    - ``resamples``: as many images as there are, drawn with replacement (bootstrap);
    - ``subsets``: 2, 4, 8, ... different images. Large subsets overlap, so that agreement near the full
      number is high by construction;
    - ``seeds``: some images, scored with other seeds of the metric (subsampling and k-means of SCS), compared
      with the choice that the metric's own seed makes on them. Where another rule than the paper's reads
      scores that were not computed with other seeds, there is none of this kind.

    All encoders see the same images in every repetition; what a rule reads of pairs of them stays what it is
    on all images.

    Args:
        tables: encoder -> scores of every image (``image_id, definition, stride, score, value``).
        selection: the choice, as :func:`vfm_fusion.selection.select.select` returns it.
        draws: repetitions behind each share of the first two kinds.
        seed: seed of these draws.
        tables_of_seeds: metric seed -> ``tables`` of that seed, the metric's own among them.
        metric_seed: the metric's own seed.
        pairs: measures of pairs of encoders, which some rules read.

    Returns:
        Plain data for ``stability.json``: ``dataset, definition, task, stride_by, master, auxiliary, stride``
        (the choice), ``images`` (count), ``repetitions``. A repetition has ``kind``, ``images`` (per draw),
        ``draws``, ``reference`` (the ``master, auxiliary, stride`` it is compared with), ``agreement``
        (``master, auxiliary, pair, stride, pair_and_stride``: shares in [0, 1], None where unknown),
        ``outcomes`` (``master, auxiliary, stride, share`` of every outcome, the most frequent first; the
        three are None where nothing could be chosen) and ``reason`` (why agreement is unknown, else None).

    Raises:
        SelectionError: see :func:`image_scores`.
    """
    choose_on = _Chooser(selection, pairs)
    scores = choose_on.scores(tables)
    count = len(scores.images)
    resamples = resample_weights(count, draws, np.random.default_rng([seed, 0]))
    repetitions = [_repetition("resamples", count, choose_on(scores, resamples), selection)]
    for size in subset_sizes(count):
        weights = subset_weights(count, size, draws, np.random.default_rng([seed, size]))
        repetitions.append(_repetition("subsets", size, choose_on(scores, weights), selection))
    repetitions += _other_seeds(choose_on, tables_of_seeds or {}, metric_seed)
    kept = ("dataset", "definition", "task", "stride_by", "master", "auxiliary", "stride")
    return {key: selection[key] for key in kept} | {"images": count, "repetitions": repetitions}


def _other_seeds(
    choose_on: _Chooser, tables_of_seeds: Mapping[int, Mapping[str, pd.DataFrame]], metric_seed: int
) -> list[dict[str, Any]]:
    """The repetition on scores of other metric seeds; none where there are none that the rule reads."""
    if choose_on.reads_more or len(tables_of_seeds) < 2:
        return []
    by_seed = {number: choose_on.scores(by_encoder) for number, by_encoder in tables_of_seeds.items()}
    own = choose_on.all_of(by_seed.pop(metric_seed))
    reference = dict(zip(PARTS["pair_and_stride"], own, strict=True))
    chosen = [choose_on.all_of(table) for table in by_seed.values()]
    images = len(next(iter(by_seed.values())).images)
    return [_repetition("seeds", images, chosen, reference)]


def resample_weights(images: int, draws: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Returns ``(draws, images)``: how often each image occurs in a resample of all images."""
    return generator.multinomial(images, np.full(images, 1 / images), size=draws).astype(np.float64)


def subset_weights(images: int, size: int, draws: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Returns ``(draws, images)``: one for the ``size`` different images of a draw, zero for others."""
    order = generator.random((draws, images)).argpartition(size - 1, axis=1)[:, :size]
    weights = np.zeros((draws, images))
    np.put_along_axis(weights, order, 1.0, axis=1)
    return weights


def subset_sizes(images: int) -> list[int]:
    """Returns the powers of two from 2 up to, not including, the number of images."""
    return [2**power for power in range(1, images.bit_length()) if 2**power < images]


def shares(outcomes: list[dict[str, Any]], part: str) -> dict[tuple[Any, ...], float]:
    """Sums the shares of outcomes that have one part (see ``PARTS``) in common, the most frequent first."""
    totals: Counter[tuple[Any, ...]] = Counter()
    for outcome in outcomes:
        totals[tuple(outcome[key] for key in PARTS[part])] += outcome["share"]
    return dict(totals.most_common())


Outcome = tuple[str | None, str | None, int | None]


class _Chooser:
    """Applies the rule of a selection to scores of images."""

    def __init__(self, selection: Mapping[str, Any], pairs: pd.DataFrame | None) -> None:
        self._selection = selection
        self._score = rule_named(selection["rule"]["name"]) if "rule" in selection else None
        self._measured = Measured({}, pairs)

    @property
    def reads_more(self) -> bool:
        """Whether the rule reads other scores of profiles than SC and EF."""
        return self._score is not None and not set(self._score.profiled) <= set(SCORES)

    def scores(self, tables: Mapping[str, pd.DataFrame]) -> ImageScores:
        """Aligns what the rule reads of several encoders; see :func:`image_scores`."""
        names = dict.fromkeys((*SCORES, *(self._score.profiled if self._score else ())))
        if self.reads_more:
            tables = {encoder: with_excess(table) for encoder, table in tables.items()}
        return image_scores(tables, self._selection["definition"], names)

    def all_of(self, scores: ImageScores) -> Outcome:
        """Chooses on all images."""
        return self(scores, np.ones((1, len(scores.images))))[0]

    def __call__(self, scores: ImageScores, weights: NDArray[np.float64]) -> list[Outcome]:
        """Chooses on images that are weighted ``(R, images)``."""
        means, by_rule = scores.means(weights), None
        if self._score is not None:
            by_rule = resampled(self._score, means, self._measured, scores.encoders, scores.strides)
        task, stride_by = self._selection["task"], self._selection["stride_by"]
        return _named(choose(means["sc"], means["ef"], task, stride_by, by_rule), scores)


def _named(choices: Choices, scores: ImageScores) -> list[Outcome]:
    return [
        (scores.encoders[master], scores.encoders[auxiliary], scores.strides[stride])
        if master >= 0
        else (None, None, None)
        for master, auxiliary, stride in zip(
            choices.master.tolist(), choices.auxiliary.tolist(), choices.stride.tolist(), strict=True
        )
    ]


def _repetition(
    kind: str, images: int, outcomes: list[Outcome], reference: Mapping[str, Any]
) -> dict[str, Any]:
    counted = Counter(outcomes).most_common()
    listed = [
        dict(zip(PARTS["pair_and_stride"], outcome, strict=True)) | {"share": count / len(outcomes)}
        for outcome, count in counted
    ]
    reason = ONE_IMAGE if kind == "resamples" and images == 1 else None
    agreement = {part: None if reason else _agreement(listed, part, reference) for part in PARTS}
    return {
        "kind": kind,
        "images": images,
        "draws": len(outcomes),
        "reference": {key: reference[key] for key in PARTS["pair_and_stride"]},
        "agreement": agreement,
        "outcomes": listed,
        "reason": reason,
    }


def _agreement(outcomes: list[dict[str, Any]], part: str, reference: Mapping[str, Any]) -> float:
    chosen = tuple(reference[key] for key in PARTS[part])
    return shares(outcomes, part).get(chosen, 0.0)
