"""Measures what the models of all runs cost on this machine."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.categories import read_categories
from vfm_fusion.segmentation.cost import CostedModel
from vfm_fusion.segmentation.cost_turns import measure_costs
from vfm_fusion.segmentation.finer_maps import given_upsamplers
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    encoders = {
        name: EncoderConfig.model_validate_json(json.dumps(encoder))
        for name, encoder in config["encoders"].items()
    }
    models = {}
    for (name, settings), selection, categories in zip(
        config["runs"], snakemake.input.selections, snakemake.input.categories, strict=True
    ):
        run, strides = resolve_run(
            RunConfig.model_validate_json(json.dumps(settings["run"])),
            json.loads(Path(selection).read_text(encoding="utf-8")),
        )
        training = TrainingConfig.model_validate_json(json.dumps(settings["training"]))
        classes = TaskClasses.of(training.task, read_categories(Path(categories)))
        upsamplers = given_upsamplers(settings, (), untrained=True)
        models[name] = CostedModel(run, encoders, strides, training, len(classes), upsamplers)
    threads = min(snakemake.resources.torch_threads, snakemake.threads)
    costs = measure_costs(models, CostConfig.model_validate_json(json.dumps(config["cost"])), threads)
    for (name, cost), path in zip(costs.items(), snakemake.output.costs, strict=True):
        run = models[name].run
        described = {
            "run": name,
            **run.model_dump(mode="json", include={"master", "train_master", "auxiliary", "train_auxiliary"}),
            "strides": list(models[name].strides),
            "operator": None if run.auxiliary is None else run.fusion.operator,
        }
        used = run.upsampling.used
        upsampled = {role: used[role] for role in used if f"{role}_upsampling" in cost["parameters"]}
        write_json(Path(path), {**described, **({"upsampling": upsampled} if upsampled else {}), **cost})
