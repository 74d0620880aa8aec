"""Trains one mini encoder from scratch and measures what it has learned."""

import csv
import json
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.config.pretraining import PretrainedConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.miniature.pretraining.card import facts
from vfm_fusion.miniature.pretraining.task import Pretraining, untrained
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = json.loads(snakemake.params.config)
    recipe = PretrainedConfig.model_validate_json(json.dumps(config["recipe"]))
    generated = Path(snakemake.params.generated)
    known, unseen = (
        open_indexed(config["scenes"], Path(index), generated)
        for index in (snakemake.input.train, snakemake.input.val)
    )
    measured = {"untrained": untrained(recipe, known.categories).eval().measures(known, unseen)}
    log.info("untrained: %s", measured["untrained"])
    metrics = Path(snakemake.output.metrics)
    task = train(
        lambda: Pretraining(recipe, known),
        out_dir=metrics.parent,
        state_dir=Path(snakemake.params.state),
        token=token(snakemake.params.config, snakemake.params.code, Path(snakemake.input.train)),
        execution=Execution(workers=snakemake.threads - 1),
    )
    objective = task.objective.cpu().eval()
    measured["trained"] = objective.measures(known, unseen)
    log.info("trained: %s", measured["trained"])
    with metrics.open(encoding="utf-8", newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    card = facts(snakemake.wildcards.model, recipe, config["scenes"], objective, rows, measured)
    write_json(Path(snakemake.output.card), card)
