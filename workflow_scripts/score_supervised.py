"""Scores an encoder's stored features against ground-truth regions: SC_GT per image and output stride."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.supervised_scores import supervised_store
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    scores = supervised_store(
        FeatureStore(Path(snakemake.input.manifest)),
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        ProfileConfig.model_validate_json(json.dumps(config["metrics"])),
        config["definition"],
    )
    write_parquet(Path(snakemake.output.scores), scores)
