"""Scores an encoder's stored features: SC and EF per image and output stride, and their summary."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.encoder_profile import profile_store, summarise_profile
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    settings = ProfileConfig.model_validate_json(json.dumps(config["metrics"]))
    scores = profile_store(
        FeatureStore(Path(snakemake.input.manifest)),
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        settings,
    )
    write_parquet(Path(snakemake.output.scores), scores)
    summary = summarise_profile(scores, settings)
    write_parquet(Path(snakemake.output.summary), summary)
