"""Trains a click model around a frozen encoder and a frozen upsampler."""

import json
from pathlib import Path

from vfm_fusion.interactive.click_job import ClickJob
from vfm_fusion.training.job import run_job
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    trained, maps = list(snakemake.input.upsampler), list(snakemake.input.maps)
    scores = list(snakemake.input.scores)
    job = ClickJob.model_validate_json(
        json.dumps(
            {
                "parts": {
                    **{name: config[name] for name in ("cell", "encoder", "upsampler", "clicks")},
                    "trained_upsampler": trained[0] if trained else None,
                },
                "recipe": config["recipe"],
                "seed": int(snakemake.wildcards.seed),
                "dataset": config["dataset"],
                "index": snakemake.input.train,
                "generated": snakemake.params.generated,
                "maps": maps[0] if maps else None,
                "scores": scores[0] if scores else None,
                "workers": snakemake.threads - 1,
                "out_dir": str(Path(snakemake.output.model).parent),
                "state_dir": snakemake.params.state,
                "token": token(
                    snakemake.params.config,
                    snakemake.params.code,
                    Path(snakemake.input.train),
                    *map(Path, trained + scores),
                ),
            }
        )
    )
    run_job(job, 1, snakemake.threads)
