"""Extracts what an encoder makes of the images that runs see, in place of running it at every step."""

import json
from pathlib import Path

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.extract import extraction, features_settings
from vfm_fusion.training.views import Views
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    params, index = snakemake.params, Path(snakemake.input.index)
    config = json.loads(params.config)
    dataset = open_indexed(config["dataset"], index, Path(params.generated))
    views = config["views"]
    if views is not None:
        augmentation = AugmentationConfig.model_validate_json(json.dumps(views["augmentation"]))
        dataset = Views(dataset, augmentation, views["count"])
    extraction(
        dataset=dataset,
        dataset_name=snakemake.wildcards.dataset,
        encoder_name=snakemake.wildcards.encoder,
        encoder_config=EncoderConfig.model_validate_json(json.dumps(config["encoder"])),
        settings=features_settings(config["features"], snakemake.threads),
        token=token(params.config, params.code, index),
        manifest_path=Path(snakemake.output.manifest),
        state_dir=Path(params.state),
    ).run()
