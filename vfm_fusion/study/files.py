"""Where every result lies: one pattern for each kind of file below the folder of results."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import PurePosixPath

PATTERNS: dict[str, str] = {
    "config": "config.resolved.yaml",
    # data sets
    "data": "data/{dataset}",
    "data_manifest": "data/{dataset}.manifest.json",
    "index": "datasets/{dataset}/{split}.parquet",
    "index_summary": "datasets/{dataset}/{split}.json",
    "categories": "datasets/{dataset}/categories.json",
    # features
    "feature_part": "state/features/{dataset}/{encoder}/{part}of{parts}.json",
    "feature_state": "state/features/{dataset}/{encoder}",
    "features": "features/{dataset}/{encoder}.zarr.manifest.json",
    "view_features": "features/{dataset}/{views}/{encoder}.zarr.manifest.json",
    "view_state": "state/features/{dataset}/{views}/{encoder}",
    "feature_export": "exports/{dataset}/{encoder}.h5",
    # profiles and the choice
    "profile": "metrics/{dataset}/{encoder}.parquet",
    "profile_summary": "metrics/{dataset}/{encoder}.summary.parquet",
    "supervised": "metrics/{dataset}/{encoder}.supervised.parquet",
    "sweep": "metrics/{dataset}/{encoder}.sensitivity.parquet",
    "controls": "metrics/{dataset}/controls.parquet",
    "pairs": "metrics/{dataset}/pairs.parquet",
    "selection": "selection/{dataset}/selection.json",
    "stability": "selection/{dataset}/stability.json",
    # runs
    "run_state": "state/runs/{run}/seed{seed}",
    "model": "runs/{run}/seed{seed}/model.safetensors",
    "training_log": "runs/{run}/seed{seed}/metrics.csv",
    "run": "runs/{run}/seed{seed}/run.json",
    "predictions": "runs/{run}/seed{seed}/{target}/predictions.h5",
    "evaluation": "runs/{run}/seed{seed}/{target}/evaluation.json",
    "cost": "runs/{run}/cost.json",
    # reports
    "table": "tables/{name}.{format}",
    "figure": "figures/{name}.{format}",
    # encoders that runs have fine-tuned
    "finetuned_features": "features/{dataset}/finetuned/{run}.seed{seed}.zarr.manifest.json",
    "finetuned_state": "state/features/{dataset}/finetuned/{run}.seed{seed}",
    "finetuned_profile": "metrics/{dataset}/finetuned/{run}.seed{seed}.parquet",
    "finetuned_summary": "metrics/{dataset}/finetuned/{run}.seed{seed}.summary.parquet",
    # upsamplers that the workflow trains
    "upsampler_state": "state/upsamplers/{upsampler}/{encoder}",
    "upsampler": "upsamplers/{upsampler}/{encoder}/upsampler.safetensors",
    "upsampler_log": "upsamplers/{upsampler}/{encoder}/metrics.csv",
    "upsampler_card": "upsamplers/{upsampler}/{encoder}/card.json",
    "shipped_upsamplers": "upsamplers/shipped.json",
    # interactive segmentation
    "click_state": "state/interactive/{encoder}/{upsampler}/{clicks}/seed{seed}",
    "click_model": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/model.safetensors",
    "click_log": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/metrics.csv",
    "click_run": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/run.json",
    "clicked_state": "state/interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}",
    "clicked_rounds": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}/rounds.parquet",
    "clicked_objects": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}/objects.parquet",
    "clicked_groups": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}/robustness.parquet",
    "clicked_seconds": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}/seconds.parquet",
    "clicked_scores": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}/scores.json",
    "clicked_masks": "interactive/{encoder}/{upsampler}/{clicks}/seed{seed}/{target}/shown.h5",
    "upsampled_quality": "interactive/{encoder}/{upsampler}/quality.json",
    "upsampled_cost": "interactive/{encoder}/{upsampler}/cost.json",
    "upsampled_images": "interactive/{encoder}/{upsampler}/quality.parquet",
    "upsampled_maps": "interactive/{encoder}/maps.h5",
    # mini encoders
    "pretraining_state": "state/pretraining/{model}",
    "pretrained": "pretraining/{model}/model.safetensors",
    "pretraining_log": "pretraining/{model}/metrics.csv",
    "pretraining_card": "pretraining/{model}/card.json",
    "pretrained_figure": "pretraining/pca_maps.{suffix}",
    "shipped": "pretraining/shipped.json",
}
"""Kind of file to its path below the folder of results, with Snakemake's wildcards in braces."""


class Files:
    """The files of one folder of results.

    Args:
        results: the folder.
    """

    def __init__(self, results: str) -> None:
        self.results = results

    def pattern(self, kind: str, **values: object) -> str:
        """Returns the path of a kind of file with its wildcards, those given in ``values`` filled in."""
        path = str(PurePosixPath(self.results, PATTERNS[kind]))
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", str(value))
        return path

    def every(self, kind: str, **values: object) -> list[str]:
        """Returns the paths of a kind of file, each once.

        Args:
            kind: key of :data:`PATTERNS`.
            values: a value or an iterable of values for every wildcard; all combinations are taken, the last
                wildcard changing fastest.
        """
        lists = [
            list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
            for value in values.values()
        ]
        chosen = (dict(zip(values, combination, strict=True)) for combination in product(*lists))
        return list(dict.fromkeys(self.pattern(kind, **combination) for combination in chosen))
