"""Prints which feature stores there are, and how large those will be that are not there yet."""

import json
from pathlib import Path

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.features.inventory import find_stores, planned_layout, print_stores
from vfm_fusion.features.space import describe_size, free_bytes, human
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    results = Path(snakemake.params.results)
    stores = find_stores(results, {Path(name) for name in snakemake.params.manifests})
    print_stores(stores, results, f"Feature stores in {results}")
    for plan in json.loads(snakemake.params.config):
        manifest, index = Path(plan["manifest"]), Path(plan["index"])
        if manifest.exists():
            continue
        size = "known once its images are indexed"
        if index.exists():
            settings = FeaturesConfig.model_validate_json(json.dumps(plan["features"]))
            size = describe_size(
                planned_layout(index, spec_of(plan["architecture"]), settings, plan["views"])
            )
        print(f"to be extracted: {manifest.relative_to(results)}: {size}")
    print(f"{human(free_bytes(results))} are free on this disk")
