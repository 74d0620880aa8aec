"""Reads every feature store of the configuration that is there and checks it map by map."""

from pathlib import Path

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    present = [Path(name) for name in snakemake.params.manifests if Path(name).exists()]
    damaged = 0
    for manifest in present:
        try:
            errors = list(FeatureStore(manifest).damage())
        except FeatureStoreError as error:
            errors = [error]
        for error in errors:
            log.error("%s", error)
            print(f"DAMAGED  {error}")
        print(f"{'damaged' if errors else 'intact'}  {manifest}", flush=True)
        damaged += bool(errors)
    print(f"{len(present) - damaged} of {len(present)} feature stores are intact")
    if damaged:
        raise FeatureStoreError(
            f"{damaged} of {len(present)} feature stores are damaged; each is named above"
        )
