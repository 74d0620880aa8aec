"""Table of the encoders: pre-training, strides, channels, terms."""

import json
from pathlib import Path

from vfm_fusion.features.manifest import Manifest
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.encoders import encoders_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    facts = dict(config["encoders"])
    manifests = {
        name: Manifest.read(Path(path)) for name, path in zip(facts, snakemake.input.manifests, strict=True)
    }
    table = encoders_table(facts, manifests, config["provenance"])
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
