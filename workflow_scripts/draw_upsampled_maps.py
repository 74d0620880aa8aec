"""Colours the maps of an encoder, its own and those of all its upsamplers, by one set of components."""

import json
from pathlib import Path

from vfm_fusion.config.clicks import ClickModelConfig, ClickProtocolConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.image_size import read_image_size
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.base import subset
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.interactive.seen_maps import built_featurizer, built_upsampler
from vfm_fusion.interactive.shown_maps import show_image, write_shown
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    featurizer = built_featurizer(
        EncoderConfig.model_validate_json(json.dumps(config["encoder"])),
        ClickModelConfig.model_validate_json(json.dumps(config["reads"])),
    )
    trained = iter(snakemake.input.upsamplers)
    upsamplers = {
        name: built_upsampler(
            name,
            UpsamplerConfig.model_validate_json(json.dumps(settings)),
            config["encoder_name"],
            featurizer,
            Path(next(trained)) if settings["weights"] else None,
        )
        for name, settings in config["upsamplers"]
    }
    dataset = open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated))
    positions = subset(len(dataset), config["max_images"])[: config["shown"]]
    size = read_image_size(config["image_size"])
    protocol = ClickProtocolConfig.model_validate_json(json.dumps(config["protocol"]))
    shown = (show_image(featurizer, upsamplers, dataset, at, size, protocol) for at in positions)
    write_shown(Path(snakemake.output.maps), shown)
