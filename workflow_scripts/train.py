"""Trains one run with one seed, resuming from its newest checkpoint."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.finer_maps import given_upsamplers
from vfm_fusion.segmentation.job import SegmentationJob
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.training.job import run_job
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    selection_path = Path(snakemake.input.selection)
    run, strides = resolve_run(
        RunConfig.model_validate_json(json.dumps(config["run"])),
        json.loads(selection_path.read_text(encoding="utf-8")),
    )
    devices = snakemake.resources.devices
    execution = {
        "devices": devices,
        "accumulate": snakemake.resources.accumulate,
        "workers": max(0, snakemake.threads // devices - 1),
    }
    job = SegmentationJob(
        run=run,
        encoders={
            name: EncoderConfig.model_validate_json(json.dumps(encoder))
            for name, encoder in config["encoders"].items()
        },
        strides=strides,
        training=TrainingConfig.model_validate_json(json.dumps(config["training"] | execution)),
        seed=int(snakemake.wildcards.seed),
        dataset=config["dataset"],
        index=snakemake.input.train,
        generated=snakemake.params.generated,
        maps=dict(zip(config["encoders"], snakemake.input.maps, strict=False)),  # none where encoders run
        upsamplers=given_upsamplers(config, snakemake.input.upsamplers),
        out_dir=str(Path(snakemake.output.model).parent),
        state_dir=snakemake.params.state,
        token=token(
            snakemake.params.config,
            snakemake.params.code,
            Path(snakemake.input.train),
            selection_path,
            *map(Path, snakemake.input.upsamplers),
        ),
    )
    run_job(job, devices, snakemake.threads)
