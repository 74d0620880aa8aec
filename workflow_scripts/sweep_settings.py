"""Scores an encoder's stored features by definitions that differ from the baseline in one setting each."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.config.sensitivity import SensitivityConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.settings_sweep import sweep_store
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    sweeps = dict(config["sensitivity"]["sweeps"])
    scores = sweep_store(
        FeatureStore(Path(snakemake.input.manifest)),
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        ProfileConfig.model_validate_json(json.dumps(config["maps"])),
        MetricConfig.model_validate_json(json.dumps(config["definition"])),
        SensitivityConfig.model_validate(config["sensitivity"] | {"sweeps": sweeps}),
    )
    write_parquet(Path(snakemake.output.scores), scores)
