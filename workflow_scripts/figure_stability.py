"""Figure of agreement with the chosen pair and stride against the number of images."""

import json
from pathlib import Path

from vfm_fusion.reporting.figures.stability import stability_figure
from vfm_fusion.reporting.inputs import read_stability
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    figure = stability_figure(read_stability(Path(snakemake.input.stability[0])))
    save_figure(figure, pdf=Path(snakemake.output.pdf), png=Path(snakemake.output.png), dpi=config["dpi"])
