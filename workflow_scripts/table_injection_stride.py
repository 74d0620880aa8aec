"""Table of what every injection stride reaches, and whether EF suggested the best one."""

import json
from pathlib import Path

from vfm_fusion.reporting.published import read_published
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.stride_sweep import read_sweep
from vfm_fusion.reporting.tables.injection_stride import injection_stride_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    source = snakemake.input
    config = json.loads(snakemake.params.config)
    sweep = read_sweep(config, source.evaluations, source.profiles, source.selection[0])
    published = read_published(Path(source.published)) if source.published else None
    table = injection_stride_table(sweep, published)
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
