"""Figure of image, ground truth and the masks of every run side by side."""

import json
from pathlib import Path

from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.reporting.figures.qualitative import load_scenes, qualitative_figure
from vfm_fusion.reporting.labels import pretrainings, run_models
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    labels, runs = dict(config["encoders"]), [label for _, label in config["runs"]]
    dataset = open_indexed(config["dataset"], Path(snakemake.input.val), Path(snakemake.params.generated))
    predictions = {run: Path(path) for run, path in zip(runs, snakemake.input.predictions, strict=True)}
    evaluations = [read_evaluation(Path(path)) for path in snakemake.input.evaluations]
    models = [run_models(evaluation, labels) for evaluation in evaluations]
    scenes = load_scenes(dataset, predictions, config["reporting"]["images"])
    save_figure(
        qualitative_figure(
            scenes,
            dataset.categories,
            dict(zip(runs, models, strict=True)),
            notes=pretrainings(evaluations, labels),
        ),
        pdf=Path(snakemake.output.pdf),
        png=Path(snakemake.output.png),
        dpi=config["reporting"]["dpi"],
    )
