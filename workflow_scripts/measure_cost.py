"""Measures what a run's model costs on this machine."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.categories import read_categories
from vfm_fusion.segmentation.cost import measure_cost
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    run, strides = resolve_run(
        RunConfig.model_validate_json(json.dumps(config["run"])),
        json.loads(Path(snakemake.input.selection).read_text(encoding="utf-8")),
    )
    training = TrainingConfig.model_validate_json(json.dumps(config["training"]))
    cost = measure_cost(
        run=run,
        encoders={
            name: EncoderConfig.model_validate_json(json.dumps(encoder))
            for name, encoder in config["encoders"].items()
        },
        strides=strides,
        training=training,
        categories=len(TaskClasses.of(training.task, read_categories(Path(snakemake.input.categories)))),
        cost=CostConfig.model_validate_json(json.dumps(config["cost"])),
    )
    model = {
        "run": snakemake.wildcards.run,
        **run.model_dump(mode="json", include={"master", "train_master", "auxiliary", "train_auxiliary"}),
        "strides": list(strides),
        "operator": None if run.auxiliary is None else run.fusion.operator,
    }
    write_json(Path(snakemake.output.cost), {**model, **cost})
