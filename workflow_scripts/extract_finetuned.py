"""Extracts the native feature maps of the encoder that a run has fine-tuned."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.extract import Extraction, features_settings
from vfm_fusion.segmentation.finer_maps import given_upsamplers
from vfm_fusion.segmentation.finetuned import finetuned_encoder
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    index, model, run = (Path(snakemake.input[name]) for name in ("index", "model", "run"))
    encoder, source = finetuned_encoder(
        model.parent,
        {
            name: EncoderConfig.model_validate_json(json.dumps(encoder))
            for name, encoder in config["encoders"].items()
        },
        config["name"],
        given_upsamplers(config, snakemake.input.upsamplers),
    )
    Extraction(
        dataset=open_indexed(config["dataset"], index, Path(snakemake.params.generated)),
        encoder=encoder,
        source=source,
        settings=features_settings(config["features"], snakemake.threads),
        token=token(snakemake.params.config, snakemake.params.code, index, run),
        manifest_path=Path(snakemake.output.manifest),
        state_dir=Path(snakemake.params.state),
    ).run()
