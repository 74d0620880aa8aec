"""Extracts the shards of one part of an encoder's feature store, for extract_features to publish."""

from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.features.extract import configured_extraction
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    part, parts = int(snakemake.wildcards.part), int(snakemake.wildcards.parts)
    configured_extraction(
        config=snakemake.params.config,
        code=snakemake.params.store_code,
        index=Path(snakemake.input.index),
        generated=Path(snakemake.params.generated),
        dataset=snakemake.wildcards.dataset,
        encoder=snakemake.wildcards.encoder,
        manifest=Path(snakemake.params.manifest),
        state=Path(snakemake.params.state),
        threads=snakemake.threads,
    ).run_part(part, parts)
    write_json(Path(snakemake.output[0]), {"part": part, "parts": parts})
