"""Trains one run with one seed, resuming from its newest checkpoint."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.open import open_indexed
from vfm_fusion.provenance import token
from vfm_fusion.roles import resolve_run
from vfm_fusion.rule_log import rule_log
from vfm_fusion.segmentation.training import train_run

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    selection_path = Path(snakemake.input.selection)
    run, strides = resolve_run(
        RunConfig.model_validate_json(json.dumps(config["run"])),
        json.loads(selection_path.read_text(encoding="utf-8")),
    )
    index = Path(snakemake.input.train)
    train_run(
        run=run,
        encoders={
            name: EncoderConfig.model_validate_json(json.dumps(encoder))
            for name, encoder in config["encoders"].items()
        },
        strides=strides,
        training=TrainingConfig.model_validate_json(
            json.dumps({**config["training"], "workers": snakemake.threads - 1})
        ),
        seed=int(snakemake.wildcards.seed),
        dataset=open_indexed(config["dataset"], index, Path(snakemake.params.generated)),
        out_dir=Path(snakemake.output.model).parent,
        state_dir=Path(snakemake.params.state),
        token=token(snakemake.params.config, snakemake.params.code, index, selection_path),
    )
