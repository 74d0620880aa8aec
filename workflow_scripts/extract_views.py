"""Extracts what an encoder makes of the images that runs see, in place of running it at every step."""

import json
from pathlib import Path

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.features.extract import configured_extraction
from vfm_fusion.training.views import Views
from vfm_fusion.workflow.rule_log import rule_log


def seen(dataset: Dataset) -> Dataset:
    """The fixed views of training images; images to segment as they are."""
    views = json.loads(snakemake.params.config)["views"]
    if views is None:
        return dataset
    augmentation = AugmentationConfig.model_validate_json(json.dumps(views["augmentation"]))
    return Views(dataset, augmentation, views["count"])


with rule_log(snakemake.log[0], snakemake.threads):
    configured_extraction(
        config=snakemake.params.config,
        code=snakemake.params.code,
        index=Path(snakemake.input.index),
        generated=Path(snakemake.params.generated),
        dataset=snakemake.wildcards.dataset,
        encoder=snakemake.wildcards.encoder,
        manifest=Path(snakemake.output.manifest),
        state=Path(snakemake.params.state),
        threads=snakemake.threads,
        seen=seen,
    ).run()
