"""Scores the stored features of a fine-tuned encoder as its own profile was scored."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.encoder_profile import profile_store, summarise_profile
from vfm_fusion.workflow.rule_log import rule_log

ROLE = "master"

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    settings = ProfileConfig.model_validate_json(json.dumps(config["metrics"]))
    store = FeatureStore(Path(snakemake.input.manifest))
    scores = profile_store(
        store,
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        settings,
    )
    summary = summarise_profile(scores, settings)
    for path, frame in ((snakemake.output.scores, scores), (snakemake.output.summary, summary)):
        frame.insert(0, "role", ROLE)
        frame.insert(1, "encoder", store.manifest.encoder)
        write_parquet(Path(path), frame)
