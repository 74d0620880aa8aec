"""Checks the layout of one split of a data set, indexes its images and counts what it holds."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.datasets.registry import dataset_config, index_split
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = dataset_config(json.loads(snakemake.params.config))
    root = data_root(config, Path(snakemake.params.generated), snakemake.wildcards.dataset)
    index = index_split(config, root, snakemake.wildcards.split, workers=snakemake.threads)
    for entry in index.skipped:
        log.warning("skipped %s: %s", entry.image_id, entry.reason)
    for what, count in sorted(index.left_out.items()):
        log.info("not read: %d %s", count, what)
    log.info("%d images", len(index.frame))
    write_index(index.frame, Path(snakemake.output.index))
    write_json(Path(snakemake.output.summary), {"kind": config.kind, **index.summary()})
