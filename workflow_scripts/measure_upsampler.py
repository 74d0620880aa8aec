"""Scores the maps of an encoder, upsampled, before any click: SC, EF, a linear probe, time and memory."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_json, write_parquet
from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.interactive.seen_maps import built_featurizer, built_upsampler
from vfm_fusion.interactive.upsampled_quality import Measuring, measure_upsampler
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    trained, train = list(snakemake.input.upsampler), list(snakemake.input.train)
    encoder, upsampler = config["encoder_name"], config["upsampler_name"]
    featurizer = built_featurizer(
        EncoderConfig.model_validate_json(json.dumps(config["encoder"])),
        ClickModelConfig.model_validate_json(json.dumps(config["reads"])),
    )
    measured = measure_upsampler(
        featurizer,
        built_upsampler(
            upsampler,
            UpsamplerConfig.model_validate_json(json.dumps(config["upsampler"])),
            encoder,
            featurizer,
            Path(trained[0]) if trained else None,
        ),
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        open_indexed(config["dataset"], Path(train[0]), Path(snakemake.params.generated)) if train else None,
        Measuring.model_validate_json(json.dumps(config["measuring"])),
        (encoder, upsampler),
    )
    named = {"encoder": encoder, "upsampler": upsampler, "dataset": config["name"]}
    write_parquet(Path(snakemake.output.images), measured.images)
    write_json(Path(snakemake.output.cost), {**named, **measured.cost})
    write_json(Path(snakemake.output.quality), {**named, **measured.quality})
