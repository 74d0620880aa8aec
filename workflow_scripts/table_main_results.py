"""Table of AP, mIoU and PQ of every run."""

import json
from pathlib import Path

from vfm_fusion.reporting.published import published_results, published_table, read_published
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.main_results import main_results_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    encoders, runs = dict(config["encoders"]), dict(config["runs"])
    reference = None
    if published:
        known, otherwise = read_published(Path(published)), config["published"]["otherwise"]
        reference = published_results(known, **config["published"]["of"])
        if reference.empty:
            reference = published_table(known, otherwise) if otherwise else None
    table = main_results_table(
        [read_evaluation(Path(path)) for path in snakemake.input.evaluations],
        encoders,
        runs,
        config["seeds"],
        reference,
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
