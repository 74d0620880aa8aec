"""Table of SC and EF of maps with a known answer, and whether each metric definition ranks them right."""

import json
from pathlib import Path

from vfm_fusion.reporting.control_results import read_controls
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.controls import controls_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    table = controls_table(read_controls(Path(snakemake.input.controls[0])), config["dataset"])
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
