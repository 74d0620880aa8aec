"""Exports one feature store to an HDF5 file."""

from pathlib import Path

from vfm_fusion.features.export import export_store
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    export_store(FeatureStore(Path(snakemake.input.manifest)), Path(snakemake.output[0]))
