"""A table, figure or text, by the module that the registry of reports names for it."""

import json

from vfm_fusion.reporting.make import make_or_state
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    make_or_state(
        *snakemake.params.modules,
        dict(snakemake.input.items()),
        json.loads(snakemake.params.config),
        dict(snakemake.output.items()),
    )
