"""Trains one upsampler on the maps of one frozen encoder and measures what it has learned."""

import csv
import json
from functools import partial
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.index import read_index
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.datasets.registry import dataset_config, open_dataset
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.upsampling.interpolation import Bilinear
from vfm_fusion.upsampling.pretraining.card import facts
from vfm_fusion.upsampling.pretraining.measures import fidelity, held_out, measures
from vfm_fusion.upsampling.pretraining.task import UpsamplerTraining
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = json.loads(snakemake.params.config)
    upsampler = UpsamplerConfig.model_validate_json(json.dumps(config["upsampler"]))
    encoder = EncoderConfig.model_validate_json(json.dumps(config["encoder"]))
    dataset, index = dataset_config(config["dataset"]), read_index(Path(snakemake.input.train))
    root, apart = data_root(dataset, Path(snakemake.params.generated)), held_out(len(index))
    known = open_dataset(dataset, root, index.drop(index.index[apart]))
    unseen = open_dataset(dataset, root, index.iloc[apart])
    build = partial(
        UpsamplerTraining,
        upsampler.architecture,
        upsampler.weights.recipe,
        build_encoder(encoder),
        known,
        upsampler.class_settings,
    )
    untrained = build().eval()
    measured = {
        "untrained": measures(untrained, unseen),
        "bilinear": fidelity(Bilinear(untrained.upsampler.channels), untrained, unseen),
    }
    log.info("before: %s", measured)
    metrics = Path(snakemake.output.metrics)
    task = train(
        build,
        out_dir=metrics.parent,
        state_dir=Path(snakemake.params.state),
        token=token(
            snakemake.params.config,
            snakemake.params.code,
            Path(snakemake.input.train),
            weights_digest(encoder),
        ),
        execution=Execution(workers=snakemake.threads - 1),
    )
    task = task.cpu().eval()
    measured["trained"] = measures(task, unseen)
    log.info("trained: %s", measured["trained"])
    with metrics.open(encoding="utf-8", newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    data = {"images": len(known), "held_out": len(unseen), "weights": weights_digest(encoder)}
    write_json(Path(snakemake.output.card), facts(config["names"], upsampler, task, data, rows, measured))
