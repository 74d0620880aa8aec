"""Small result files of every kind that the paper's experiment reports, with the shapes that its own have.

Levels of SC and EF are near those of the paper's Table 5; all else is from a seed. Encoders are mini ones.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import test_cost_table
from small_datasets import WRITERS

from vfm_fusion.atomic import write_json
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.evaluation.predictions import writing_predictions
from vfm_fusion.features.extract import extraction
from vfm_fusion.metrics.map_scores import SWEPT_SCORES
from vfm_fusion.profiles.control_scores import score_controls
from vfm_fusion.profiles.encoder_profile import summarise_profile
from vfm_fusion.profiles.pair_rows import ALONE, PairRow, pairs_frame
from vfm_fusion.profiles.settings_sweep import tables_of_seeds
from vfm_fusion.reporting.entry import Benchmarks
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction, Segment
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.selection.select import select
from vfm_fusion.selection.stability import assess_stability
from vfm_fusion.study.study import Study

LEVELS = {
    "dinov2": ((0.56, 0.47, 0.39, 0.29), (5.45, 8.66, 11.67, 16.26)),
    "dinov3": ((0.73, 0.71, 0.65, 0.53), (1.27, 1.64, 2.33, 5.88)),
    "sam": ((0.60, 0.51, 0.43, 0.29), (6.30, 7.10, 9.91, 13.96)),
    "sam2": ((0.49, 0.44, 0.11, 0.41), (6.60, 8.59, 17.13, 12.47)),
    "swin": ((0.65, 0.65, 0.64, 0.58), (3.82, 3.11, 2.41, 6.85)),
    "dinov3-l": ((0.72, 0.70, 0.66, 0.54), (1.31, 1.71, 2.42, 5.51)),
    "sam2-l": ((0.50, 0.45, 0.12, 0.40), (6.83, 8.42, 16.51, 12.93)),
}
"""SC and EF at OS 4, 8, 16 and 32."""
MINI = ("mini_vit", "mini_hiera", "mini_swin")
IMAGES = 12
"""Images behind the scores."""


class PaperResults:
    """The result files of an experiment.

    Args:
        study: the experiment; its data sets and results lie below ``folder``.
        folder: where they lie.
    """

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.strides = study.config.metrics.strides
        self.datasets: dict[str, Dataset] = {}

    def write(self) -> None:
        """Writes everything but tables and figures."""
        for name, (write, sizes) in WRITERS.items():
            for split in ("train", "val"):
                write(self.folder / "data" / name, split, sizes)
        for name, split in self.study.splits:
            self._index(name, split)
        for position, encoder in enumerate(self.study.config.encoders):
            self._features(encoder, MINI[position % len(MINI)])
        for dataset in (self.study.dataset, *self.study.config.also_profiled):
            self._profiles(dataset)
        for comparison in self.study.studied:
            self._finetuned(comparison)
        for comparison in self.study.comparisons:
            self._runs(comparison)
        for run in self.study.config.runs:
            settings, strides = self._resolved(run)
            cost = test_cost_table.cost("fused" if settings.auxiliary else "alone")
            cost |= {"run": run, "master": settings.master, "auxiliary": settings.auxiliary}
            cost |= {"train_master": settings.train_master, "strides": list(strides)}
            cost |= {"operator": settings.fusion.operator if settings.auxiliary else None}
            write_json(self._path("cost", run=run), cost)

    def measured(self, jobs: Benchmarks) -> list[str]:
        """Writes and names the benchmark files of jobs."""
        values = [v if isinstance(v, list | tuple | dict) else [v] for v in jobs.wildcards.values()]
        paths = []
        for chosen in product(*values):
            path = self.folder / "benchmarks" / jobs.rule / f"{'.'.join(map(str, chosen))}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"s": 90.5, "max_rss": 800.0, "cpu_time": 170.2}) + "\n")
            paths.append(str(path))
        return paths

    def _path(self, kind: str, **wildcards: Any) -> Path:
        path = Path(self.study.files.pattern(kind, **wildcards))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _index(self, name: str, split: str) -> None:
        config = self.study.config.datasets[name]
        folder = Path(config.root).name
        root = self.folder / "data" / (folder if folder in WRITERS else self.study.dataset)
        index = index_split(
            config if folder in WRITERS else self.study.config.datasets[root.name], root, split
        )
        write_index(index.frame, self._path("index", dataset=name, split=split))
        summary = {"kind": config.kind, **index.summary()}
        write_json(self._path("index_summary", dataset=name, split=split), summary)
        if split == "val":
            self.datasets[name] = open_dataset(config, root, index.frame)

    def _features(self, encoder: str, architecture: str) -> None:
        name, weights = self.study.dataset, {"source": "seeded", "seed": 1}
        extraction(
            dataset=self.datasets[name],
            dataset_name=name,
            encoder_name=encoder,
            encoder_config=EncoderConfig.model_validate({"architecture": architecture, "weights": weights}),
            settings=FeaturesConfig(),
            token="made up",
            manifest_path=self._path("features", dataset=name, encoder=encoder),
            state_dir=self._path("feature_state", dataset=name, encoder=encoder),
        ).run()

    def _profiles(self, dataset: str) -> None:
        config = self.study.config
        scores = {encoder: self._scores(encoder, dataset) for encoder in config.encoders}
        summaries = {encoder: summarise_profile(frame, config.metrics) for encoder, frame in scores.items()}
        sweeps = {encoder: self._sweep(encoder) for encoder in config.encoders}
        for encoder in config.encoders:
            for kind, frame in (
                ("profile", scores[encoder]),
                ("profile_summary", summaries[encoder]),
                ("supervised", self._supervised(encoder)),
                ("sweep", sweeps[encoder]),
            ):
                frame.to_parquet(self._path(kind, dataset=dataset, encoder=encoder))
        chosen = select(summaries, dataset, config.selection)
        write_json(self._path("selection", dataset=dataset), chosen)
        among = config.selection.among or config.encoders
        stability = assess_stability(
            {encoder: scores[encoder] for encoder in among},
            chosen,
            draws=50,
            seed=0,
            tables_of_seeds=tables_of_seeds({name: sweeps[name] for name in among}, chosen["definition"]),
        )
        write_json(self._path("stability", dataset=dataset), stability)
        controls = score_controls(self.datasets[dataset], config.metrics, 2)
        controls.to_parquet(self._path("controls", dataset=dataset))
        pairs_frame(self._pairs(dataset)).to_parquet(self._path("pairs", dataset=dataset))

    def _finetuned(self, comparison: str) -> None:
        dataset = self.study.comparisons[comparison][0].dataset
        for run, seed in product(self.study.finetuned_runs(comparison), self.study.seeds):
            encoder = self.study.config.runs[run].master
            path = self._path("finetuned_profile", dataset=dataset, run=run, seed=seed)
            self._scores(encoder, f"{run} {seed}").assign(role="master", encoder=encoder).to_parquet(path)

    def _scores(self, encoder: str, seed: str) -> pd.DataFrame:
        """A profile; SC of one image is undefined at the coarsest stride."""
        rng, rows = _random(encoder, seed), []
        for definition, image in product(self.study.config.metrics.definitions, range(IMAGES)):
            for stride, sc, ef in zip(self.strides, *LEVELS[encoder], strict=True):
                sc, ef = sc * rng.uniform(0.9, 1.1), ef * rng.uniform(0.8, 1.2)
                if stride == max(self.strides) and image == 0:
                    sc = np.nan
                values = dict.fromkeys(("sfc", "scs"), sc**0.5) | dict.fromkeys(("ec", "nc", "fc", "sp"), 0.5)
                values |= {"sc": sc, "ef": ef, "sc_null": 0.2, "ef_null": 5.0, "rankme": 100 * ef / stride}
                for score, value in values.items():
                    reason = "grid_too_fine" if np.isnan(value) else None
                    rows.append((f"image {image}", definition, stride, score, value, reason))
        columns = ["image_id", "definition", "stride", "score", "value", "reason"]
        return pd.DataFrame(rows, columns=columns).astype({"reason": "str"})

    def _pairs(self, dataset: str) -> Iterator[PairRow]:
        """What every pair is compared by; no probe on a data set that is profiled besides."""
        encoders, rng = list(self.study.config.encoders), _random("pairs", dataset)
        reason = None if dataset == self.study.dataset else "not_annotated"
        probe = (np.nan,) * 3 if reason else (50.0, 48.0, 52.0)
        for encoder in encoders:
            yield PairRow(encoder, None, ALONE, "probe", *probe, reason)
        for pair, stride in product(permutations(encoders, 2), self.strides):
            cka, gain = rng.uniform(0, 1), rng.uniform(-5, 5)
            yield PairRow(*pair, stride, "cka", cka, cka - 0.01, cka + 0.01, None)
            yield PairRow(*pair, stride, "probe", *(value + gain for value in probe), reason)
            yield PairRow(*pair, stride, "probe_gain", *(value - 50 + gain for value in probe), reason)

    def _supervised(self, encoder: str) -> pd.DataFrame:
        rng = _random(encoder, "supervised")
        rows = [
            (f"image {image}", labels, stride, score, sc * rng.uniform(0.7, 1.0), None)
            for image, labels in product(range(IMAGES), ("semantic", "instance"))
            for stride, sc in zip(self.strides, LEVELS[encoder][0], strict=True)
            for score in ("sfc_gt", "scs_gt", "sc_gt")
        ]
        return pd.DataFrame(rows, columns=["image_id", "labels", "stride", "score", "value", "reason"])

    def _sweep(self, encoder: str) -> pd.DataFrame:
        config, rng = self.study.config, _random(encoder, "sweep")
        variants = config.sensitivity.variants(config.metrics.definitions[config.selection.definition])
        rows, levels = [], dict(zip(("sc", "ef"), LEVELS[encoder], strict=True))
        for variant, image, position in product(variants, range(2), range(len(self.strides))):
            for score in SWEPT_SCORES:
                level = levels[score][position] if score in levels else 0.5
                value = level * (1 if variant.baseline else rng.uniform(0.7, 1.3))
                named = (variant.setting, variant.value, variant.baseline, self.strides[position])
                rows.append((f"image {image}", *named, score, value, None))
        columns = ["image_id", "setting", "setting_value", "baseline", "stride", "score", "value", "reason"]
        return pd.DataFrame(rows, columns=columns)

    def _resolved(self, run: str) -> Any:
        dataset = self.study.config.chosen_on(run)
        path = self._path("selection", dataset=dataset)
        return resolve_run(self.study.config.runs[run], json.loads(path.read_text(encoding="utf-8")))

    def _runs(self, comparison: str) -> None:
        """Predictions and scores of one run, of which those of all others are variations; training logs."""
        group, runs = self.study.comparisons[comparison]
        for target in group.targets:
            dataset = self.datasets[target]
            made = self.folder / "made" / comparison / target / "predictions.h5"
            made.parent.mkdir(parents=True)
            with writing_predictions(made, _description(dataset, group.task)) as writer:
                for position, image_id in enumerate(dataset.ids):
                    writer.add(image_id, _prediction(dataset, position, group.task))
            scored = evaluate_run(
                predictions=made, dataset=dataset, dataset_name=target, trained_on=group.dataset
            )
            for run, seed in product(runs, self.study.seeds):
                where = {"run": run, "seed": seed}
                shutil.copy(made, self._path("predictions", **where, target=target))
                evaluation = self._evaluation(scored, run, seed)
                write_json(self._path("evaluation", **where, target=target), evaluation)
                losses = 5 + 20 / np.arange(1, 9) + _random(run, seed).normal(0, 0.2, 8)
                log = pd.DataFrame({"step": np.arange(1, 9) * 100, "loss": losses, "lr": 1e-4})
                log.to_csv(self._path("training_log", **where), index=False)

    def _evaluation(self, scored: Mapping[str, Any], run: str, seed: int) -> dict[str, Any]:
        settings, strides = self._resolved(run)
        rng, encoders = _random(run, seed), self.study.config.encoders
        parts = {
            role: name
            and {"encoder": name, "trainable": trained, "pretraining": describe_pretraining(encoders[name])}
            for role, name, trained in (
                ("master", settings.master, settings.train_master),
                ("auxiliary", settings.auxiliary, settings.train_auxiliary),
            )
        }

        def varied(values: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: value * rng.uniform(0.6, 0.9) if isinstance(value, float) else value
                for name, value in values.items()
            }

        return {
            **scored,
            **{"run": run, "seed": seed, **parts, "strides": list(strides)},
            "operator": settings.fusion.operator if settings.auxiliary else None,
            "metrics": varied(scored["metrics"]),
            "per_class": [varied(row) for row in scored["per_class"]],
        }


def _random(*names: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


def _description(dataset: Dataset, task: str) -> dict[str, Any]:
    """Content of a ``run.json``, as far as an evaluation reads it."""
    classes = [{"id": c.id, "name": c.name, "isthing": c.isthing} for c in dataset.categories]
    settings = {"master": "sam", "train_master": True, "auxiliary": None, "train_auxiliary": False}
    return {
        **{"run": "made", "seed": 0, "training": {"task": task}, "categories": classes, "strides": []},
        **{"settings": settings | {"fusion": {"operator": "replace"}}},
        "encoders": {"sam": {"pretraining": "made up"}},
        "parameters": {"total": 5_000_000, "trainable": 3_000_000},
    }


def _prediction(dataset: Dataset, position: int, task: str) -> Prediction:
    """The labels, moved by two pixels."""
    sample = dataset[position]
    semantic = None if sample.semantic is None else np.roll(sample.semantic, 2, axis=1)
    if semantic is not None:
        semantic[semantic == VOID] = 0
    if task == "semantic":
        return Prediction(semantic, None, None, None)
    ids = np.roll(sample.instances.ids, 2, axis=1)
    masks = np.stack([ids == number for number in range(1, len(sample.instances.categories) + 1)])
    scores = np.linspace(0.95, 0.3, len(masks)).astype(np.float32)
    objects = PredictedInstances(masks, sample.instances.categories.astype(np.int64), scores)
    if task == "instance":
        return Prediction(None, objects, None, None)
    segments, panoptic = [], np.zeros(semantic.shape, np.int32)
    for number, category in enumerate(np.unique(semantic), start=1):
        panoptic[semantic == category] = number
        segments.append(Segment(number, int(category), dataset.categories[category].isthing))
    return Prediction(semantic, objects, panoptic, tuple(segments))
