"""Clicks the objects of one data set with one trained click model, and scores it."""

import json
from pathlib import Path

import torch

from vfm_fusion.config.clicks import ClickProtocolConfig, RobustnessConfig
from vfm_fusion.datasets.click_benchmarks import differing
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.interactive.built import ClickParts, load_clicks
from vfm_fusion.interactive.click_predictor import ClickPredictor
from vfm_fusion.interactive.evaluate import ClickedFiles, Playing, play_dataset, write_clicked
from vfm_fusion.interactive.played import Kept
from vfm_fusion.workflow.provenance import token
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = json.loads(snakemake.params.config)
    trained, model_file = list(snakemake.input.upsampler), Path(snakemake.input.model)
    parts = ClickParts.model_validate_json(
        json.dumps(
            {
                **{name: config[name] for name in ("cell", "encoder", "upsampler", "clicks")},
                "trained_upsampler": trained[0] if trained else None,
            }
        )
    )
    robustness = config["robustness"]
    playing = Playing(
        ClickProtocolConfig.model_validate_json(json.dumps(config["protocol"])),
        robustness and RobustnessConfig.model_validate_json(json.dumps(robustness)),
        config["max_images"],
        config["shown"],
    )
    model, description = load_clicks(model_file.parent, parts)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    dataset = open_indexed(config["dataset"], Path(snakemake.input.val), Path(snakemake.params.generated))
    identity = token(
        snakemake.params.config,
        snakemake.params.code,
        Path(snakemake.input.val),
        model_file,
        *map(Path, trained),
    )
    side = playing.protocol.zoom.side
    if side is not None:
        note = model.memory_note(1 + playing.protocol.flip, (side, side))
        log.info("upsampling, predicted: %s", note)
    predictor = ClickPredictor(model, playing.protocol.zoom, flip=playing.protocol.flip)
    played = play_dataset(predictor, dataset, playing, Kept(Path(snakemake.params.state), identity))
    objects = sum(len(image.results) for image in played)
    if note := differing(config["dataset"]["kind"], len(played), objects):
        log.warning("%s: %s", config["name"], note)
    counts = description["parameters"]
    named = {
        **config["cell"],
        "seed": int(snakemake.wildcards.seed),
        "dataset": config["name"],
        "trained_on": config["trained_on"],
        "parameters": {
            "upsampler": counts["upsampler"],
            "trained": counts["click_encoder"] + counts["head"],
        },
    }
    files = ClickedFiles(**{name: Path(path) for name, path in snakemake.output.items()})
    write_clicked(files, played, playing, named)
