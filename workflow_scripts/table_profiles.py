"""Table of SC and EF per encoder and output stride, the chosen pair marked."""

import json
from dataclasses import replace
from pathlib import Path

from vfm_fusion.reporting.inputs import read_profiles, read_selection
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.profiles import profiles_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    encoders = dict(config["encoders"])
    summaries = {name: Path(p) for name, p in zip(encoders, snakemake.input.summaries, strict=True)}
    table = profiles_table(
        read_profiles(summaries),
        encoders,
        read_selection(Path(snakemake.input.selection[0])),
        published_table(read_published(Path(published)), "5") if published else None,
    )
    files = {kind: Path(path) for kind, path in snakemake.output.items()}
    write_table(replace(table, name=files["csv"].stem), **files)
