"""Figures of the feature maps of every encoder: three principal components, and edge energy."""

import json
from pathlib import Path

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.reporting.figures.energy_maps import energy_maps_figure
from vfm_fusion.reporting.figures.feature_grid import load_profiled
from vfm_fusion.reporting.figures.pca_maps import pca_maps_figure
from vfm_fusion.reporting.style import save_figure
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    labels, reporting = dict(config["encoders"]), config["reporting"]
    settings = ProfileConfig.model_validate_json(json.dumps(config["metrics"]))
    stores = {
        name: FeatureStore(Path(path)) for name, path in zip(labels, snakemake.input.manifests, strict=True)
    }
    dataset = open_indexed(config["dataset"], Path(snakemake.input.index), Path(snakemake.params.generated))
    images = load_profiled(stores, dataset, settings, reporting["images"])
    output = {name: Path(path) for name, path in snakemake.output.items()}
    save_figure(
        pca_maps_figure(images, labels), pdf=output["pca_pdf"], png=output["pca_png"], dpi=reporting["dpi"]
    )
    save_figure(
        energy_maps_figure(images, labels, settings.definitions[config["definition"]]),
        pdf=output["energy_pdf"],
        png=output["energy_png"],
        dpi=reporting["dpi"],
    )
