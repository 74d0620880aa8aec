"""Table of what was read of every data set."""

import json
from pathlib import Path

from vfm_fusion.reporting.inputs import read_keys
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.datasets import SUMMARY_KEYS, datasets_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    splits = [tuple(split) for split in json.loads(snakemake.params.config)["splits"]]
    table = datasets_table(
        {
            split: read_keys(Path(path), SUMMARY_KEYS)
            for split, path in zip(splits, snakemake.input.summaries, strict=True)
        }
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
