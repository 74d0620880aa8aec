"""Figure of the encoders in the SC-EF plane, the chosen pair marked."""

import json
from pathlib import Path

from vfm_fusion.reporting.figures.sc_ef_plane import sc_ef_plane_figure
from vfm_fusion.reporting.inputs import read_profiles, read_selection
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    encoders = dict(config["encoders"])
    summaries = {name: Path(p) for name, p in zip(encoders, snakemake.input.summaries, strict=True)}
    figure = sc_ef_plane_figure(
        read_profiles(summaries), encoders, read_selection(Path(snakemake.input.selection[0]))
    )
    save_figure(figure, pdf=Path(snakemake.output.pdf), png=Path(snakemake.output.png), dpi=config["dpi"])
