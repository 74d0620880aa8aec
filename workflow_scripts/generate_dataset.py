"""Generates the miniscapes data set in the Cityscapes layout."""

from pathlib import Path

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.miniature.scenes.generate import generate_with_manifest
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], threads=1):
    manifest = Path(snakemake.output.manifest)
    generate_with_manifest(
        MiniscapesConfig.model_validate_json(snakemake.params.config),
        target=manifest.with_name(manifest.name.removesuffix(".manifest.json")),
        manifest_path=manifest,
        workers=snakemake.threads,
    )
