"""Trains one mini encoder from scratch and measures what it has learned."""

import csv
import json
from pathlib import Path

from safetensors.torch import save

from vfm_fusion.atomic import atomic_path, write_json
from vfm_fusion.config.pretraining import PretrainedConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.miniature.pretraining.card import facts
from vfm_fusion.miniature.pretraining.loop import PretrainingLoop
from vfm_fusion.miniature.pretraining.registry import untrained
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = json.loads(snakemake.params.config)
    recipe = PretrainedConfig.model_validate_json(json.dumps(config["recipe"]))
    generated = Path(snakemake.params.generated)
    train, val = (
        open_indexed(config["scenes"], Path(index), generated)
        for index in (snakemake.input.train, snakemake.input.val)
    )
    measured = {"untrained": untrained(recipe, train.categories).eval().measures(train, val)}
    log.info("untrained: %s", measured["untrained"])
    loop = PretrainingLoop(
        untrained(recipe, train.categories),
        train,
        recipe,
        Path(snakemake.params.state),
        token(snakemake.params.config, snakemake.params.code, Path(snakemake.input.train)),
        workers=snakemake.threads - 1,
    )
    metrics = Path(snakemake.output.metrics)
    loop.run(metrics.parent)
    objective = loop.objective.cpu().eval()
    measured["trained"] = objective.measures(train, val)
    log.info("trained: %s", measured["trained"])
    with metrics.open(encoding="utf-8", newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    weights = {key: value.contiguous() for key, value in objective.trained().state_dict().items()}
    with atomic_path(Path(snakemake.output.weights)) as temporary:
        temporary.write_bytes(save(weights))
    card = facts(snakemake.wildcards.model, recipe, config["scenes"], objective, rows, measured)
    write_json(Path(snakemake.output.card), card)
