"""Checks the layout of a data set and writes one index per split and the categories."""

import json
from pathlib import Path

from vfm_fusion.datasets.categories import write_categories
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.open import dataset_config
from vfm_fusion.datasets.registry import categories, index_split
from vfm_fusion.datasets.roots import data_root
from vfm_fusion.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = dataset_config(json.loads(snakemake.params.config))
    root = data_root(config, Path(snakemake.params.generated))
    for split in ("train", "val"):
        index = index_split(config, root, split)
        log.info("%s: %d images", split, len(index))
        write_index(index, Path(snakemake.output[split]))
    write_categories(categories(config), Path(snakemake.output.categories))
