"""Figure of the training losses of every run."""

import json
from pathlib import Path

import pandas as pd

from vfm_fusion.reporting.figures.training_curves import Curve, training_curves_figure
from vfm_fusion.reporting.labels import pretrainings, run_models
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    encoders, runs = dict(config["encoders"]), dict(config["runs"])
    evaluations = [read_evaluation(Path(path)) for path in snakemake.input.evaluations]
    curves = [
        Curve(
            run=runs[evaluation["run"]],
            encoders=run_models(evaluation, encoders),
            seed=evaluation["seed"],
            metrics=pd.read_csv(metrics),
        )
        for metrics, evaluation in zip(snakemake.input.metrics, evaluations, strict=True)
    ]
    figure = training_curves_figure(curves, notes=pretrainings(evaluations, encoders))
    save_figure(figure, pdf=Path(snakemake.output.pdf), png=Path(snakemake.output.png), dpi=config["dpi"])
