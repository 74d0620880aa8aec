"""Figure of the controls: what they look like on one image, and what each metric definition makes of them."""

import json
from pathlib import Path

from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.reporting.control_results import read_controls
from vfm_fusion.reporting.figures.controls import controls_figure, load_example
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    controls = read_controls(Path(snakemake.input.controls[0]))
    dataset = open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated))
    figure = controls_figure(controls, load_example(controls, dataset))
    save_figure(figure, pdf=Path(snakemake.output.pdf), png=Path(snakemake.output.png), dpi=config["dpi"])
