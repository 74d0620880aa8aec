"""Figure of the maps of the mini encoders, trained and untrained."""

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.pretraining import PretrainedConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.miniature.pretraining.maps import before_and_after
from vfm_fusion.reporting.figures.pca_maps import pca_maps_figure
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    scenes = open_indexed(config["scenes"], Path(snakemake.input.val), Path(snakemake.params.generated))
    encoders = {}
    for (name, recipe), path in zip(config["models"], snakemake.input.weights, strict=True):
        settings = PretrainedConfig.model_validate_json(json.dumps(recipe))
        sources = {
            "trained": {"source": "file", "path": path, "pretraining": settings.objective.kind},
            "untrained": {"source": "seeded", "seed": settings.seed},
        }
        for state, weights in sources.items():
            encoders[f"{name}, {state}"] = EncoderConfig.model_validate(
                {"architecture": settings.architecture, "weights": weights}
            )
    images, labels = before_and_after(encoders, scenes, config["images"])
    output = snakemake.output
    save_figure(
        pca_maps_figure(images, labels), pdf=Path(output.pdf), png=Path(output.png), dpi=config["dpi"]
    )
