"""Extracts an encoder's native feature maps into a Zarr store and writes its manifest."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.open import open_indexed
from vfm_fusion.features.extract import extract
from vfm_fusion.provenance import token
from vfm_fusion.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    index = Path(snakemake.input.index)
    extract(
        dataset=open_indexed(config["dataset"], index, Path(snakemake.params.generated)),
        dataset_name=snakemake.wildcards.dataset,
        encoder_name=snakemake.wildcards.encoder,
        encoder_config=EncoderConfig.model_validate_json(json.dumps(config["encoder"])),
        settings=FeaturesConfig.model_validate_json(json.dumps(config["features"])),
        token=token(snakemake.params.config, snakemake.params.code, index),
        manifest_path=Path(snakemake.output.manifest),
        state_dir=Path(snakemake.params.state),
    )
