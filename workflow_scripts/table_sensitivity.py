"""Table of SC and EF levels, ranks and the chosen pair under other metric settings."""

import json
from pathlib import Path

from vfm_fusion.reporting.inputs import chosen_among, read_selection
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.sensitivity import read_sweeps, sensitivity_of
from vfm_fusion.reporting.tables.sensitivity import sensitivity_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    labels = dict(json.loads(snakemake.params.config)["encoders"])
    selection = read_selection(Path(snakemake.input.selection[0]))
    paths = dict(zip(labels, snakemake.input.sweeps, strict=True))
    sweeps = read_sweeps({encoder: Path(paths[encoder]) for encoder in chosen_among(selection)})
    sensitivity = sensitivity_of(sweeps, selection["task"], selection["stride_by"])
    table = sensitivity_table(sensitivity, labels, selection)
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
