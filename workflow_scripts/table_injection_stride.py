"""Table of what every injection stride reaches, and whether EF suggested the best one."""

import json
from pathlib import Path

from vfm_fusion.reporting.inputs import read_evaluation, read_profiles, read_selection
from vfm_fusion.reporting.published import read_published
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.injection_stride import injection_stride_table
from vfm_fusion.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    encoders = dict(config["encoders"])
    summaries = zip(encoders, map(Path, snakemake.input.profiles), strict=True)
    table = injection_stride_table(
        [read_evaluation(Path(path)) for path in snakemake.input.evaluations],
        read_profiles(dict(summaries)),
        read_selection(Path(snakemake.input.selection[0])),
        encoders,
        dict(config["runs"]),
        dict(config["fusions"]),
        config["seeds"],
        read_published(Path(published)) if published else None,
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
