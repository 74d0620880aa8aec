"""Chooses master, auxiliary and injection stride from the encoders' profiles."""

import json
from pathlib import Path

import pandas as pd

from vfm_fusion.atomic import write_json
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.selection.select import select
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = json.loads(snakemake.params.config)
    summaries = {
        encoder: pd.read_parquet(path)
        for encoder, path in zip(config["encoders"], snakemake.input.summaries, strict=True)
    }
    pairs = pd.read_parquet(snakemake.input.pairs) if snakemake.input.pairs else None
    settings = SelectionConfig.model_validate_json(json.dumps(config["selection"]))
    selection = select(summaries, snakemake.wildcards.dataset, settings, pairs)
    for reason in selection["reasons"]:
        (log.warning if reason in selection["warnings"] else log.info)(reason)
    write_json(Path(snakemake.output.selection), selection)
