"""Extracts an encoder's native feature maps into a Zarr store and writes its manifest."""

from pathlib import Path

from vfm_fusion.features.extract import configured_extraction
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    configured_extraction(
        config=snakemake.params.config,
        code=snakemake.params.code,
        index=Path(snakemake.input.index),
        generated=Path(snakemake.params.generated),
        dataset=snakemake.wildcards.dataset,
        encoder=snakemake.wildcards.encoder,
        manifest=Path(snakemake.output.manifest),
        state=Path(snakemake.params.state),
        threads=snakemake.threads,
    ).run()
