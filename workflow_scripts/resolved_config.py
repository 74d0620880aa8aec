"""Writes the configuration as it was resolved, beside the results."""

import json
from pathlib import Path

import yaml

from vfm_fusion.atomic import write_text
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    write_text(Path(snakemake.output[0]), yaml.safe_dump(config, sort_keys=False))
