"""Writes the classes of a data set."""

import json
from pathlib import Path

from vfm_fusion.datasets.categories import write_categories
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.datasets.registry import categories, dataset_config
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = dataset_config(json.loads(snakemake.params.config))
    root = data_root(config, Path(), snakemake.wildcards.dataset)
    write_categories(categories(config, root), Path(snakemake.output.categories))
