"""Figure of SC and EF levels against the values of every swept metric setting."""

import json
from pathlib import Path

from vfm_fusion.reporting.figures.sensitivity import sensitivity_figure
from vfm_fusion.reporting.inputs import chosen_among, read_selection
from vfm_fusion.reporting.sensitivity import read_sweeps, sensitivity_of
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    labels = dict(config["encoders"])
    selection = read_selection(Path(snakemake.input.selection[0]))
    paths = dict(zip(labels, snakemake.input.sweeps, strict=True))
    sweeps = read_sweeps({encoder: Path(paths[encoder]) for encoder in chosen_among(selection)})
    figure = sensitivity_figure(sensitivity_of(sweeps, selection["task"], selection["stride_by"]), labels)
    save_figure(figure, pdf=Path(snakemake.output.pdf), png=Path(snakemake.output.png), dpi=config["dpi"])
