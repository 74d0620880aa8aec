"""Lists the feature stores that nothing of the configuration uses; deletes them where it is told to."""

from pathlib import Path

from vfm_fusion.features.inventory import delete, find_stores, print_stores, prunable
from vfm_fusion.features.space import human
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    results = Path(snakemake.params.results)
    stores = prunable(find_stores(results, {Path(name) for name in snakemake.params.manifests}))
    size = human(sum(stored.bytes for stored in stores))
    print_stores(stores, results, f"Feature stores in {results} that this configuration does not use")
    if not stores:
        print("Nothing to delete.")
    elif snakemake.params.prune:
        delete(stores)
        log.info("deleted %s", ", ".join(str(stored.path) for stored in stores))
        print(f"Deleted; {size} freed.")
    else:
        print(f"Nothing was deleted. To free {size}, add to the same command:")
        print("--config 'features={prune: true}'")
