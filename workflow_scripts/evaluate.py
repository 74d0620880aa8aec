"""Evaluates one trained run on the validation split."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.datasets.open import open_indexed
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    evaluate_run(
        run_dir=Path(snakemake.output.evaluation).parent,
        dataset=open_indexed(config["dataset"], Path(snakemake.input.val), Path(snakemake.params.generated)),
        encoders={
            name: EncoderConfig.model_validate_json(json.dumps(encoder))
            for name, encoder in config["encoders"].items()
        },
        evaluation=EvaluationConfig.model_validate_json(json.dumps(config["evaluation"])),
        dataset_name=config["name"],
    )
