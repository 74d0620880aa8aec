"""Table of how often other images give the same pair and stride."""

import json
from pathlib import Path

from vfm_fusion.reporting.inputs import read_stability
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.stability import stability_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    labels = dict(json.loads(snakemake.params.config)["encoders"])
    table = stability_table(read_stability(Path(snakemake.input.stability[0])), labels)
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
