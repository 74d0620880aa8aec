"""Scores what one trained run predicted for the validation split."""

import json
from pathlib import Path

from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    evaluate_run(
        predictions=Path(snakemake.input.predictions),
        dataset=open_indexed(config["dataset"], Path(snakemake.input.val), Path(snakemake.params.generated)),
        dataset_name=config["name"],
        trained_on=config["trained_on"],
        protocol=config["protocol"],
    )
