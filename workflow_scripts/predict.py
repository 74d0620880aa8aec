"""Segments the validation split of one data set with one trained run."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.evaluation.predict import predict_run
from vfm_fusion.segmentation.finer_maps import given_upsamplers
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    predict_run(
        run_dir=Path(snakemake.input.model).parent,
        predictions=Path(snakemake.output.predictions),
        dataset=open_indexed(config["dataset"], Path(snakemake.input.val), Path(snakemake.params.generated)),
        encoders={
            name: EncoderConfig.model_validate_json(json.dumps(encoder))
            for name, encoder in config["encoders"].items()
        },
        inference=EvaluationConfig.model_validate_json(json.dumps(config["inference"])),
        maps=dict(zip(config["encoders"], map(Path, snakemake.input.maps), strict=False)),
        upsamplers=given_upsamplers(config, snakemake.input.upsamplers),
    )
