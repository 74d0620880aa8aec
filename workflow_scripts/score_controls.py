"""Scores the controls of a data set's images: maps with a known answer, by every metric definition."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.image_size import read_image_size
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.profiles.control_scores import score_controls
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    profile = {"strides": config["strides"], "definitions": dict(config["definitions"])}
    scores = score_controls(
        open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated)),
        ProfileConfig.model_validate_json(json.dumps(profile)),
        config["images"],
        read_image_size(config["image_size"]),
    )
    write_parquet(Path(snakemake.output.scores), scores)
