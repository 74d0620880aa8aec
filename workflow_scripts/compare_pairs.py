"""Compares every pair of encoders on a data set: CKA of their maps, and a linear probe of both together."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.pairs import PairsConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.encoder_pairs import compare_pairs
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    stores = (FeatureStore(Path(manifest)) for manifest in snakemake.input.manifests)
    pairs = compare_pairs(
        dict(zip(config["encoders"], stores, strict=True)),
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        ProfileConfig.model_validate_json(json.dumps(config["maps"])),
        PairsConfig.model_validate_json(json.dumps(config["pairs"])),
    )
    write_parquet(Path(snakemake.output.pairs), pairs)
