"""Table of results per class, grouped by the ground truth's boundary-to-area ratio."""

import json
from pathlib import Path

from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.reporting.boundary_ratio import class_ratios
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.per_class import per_class_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    encoders, runs = dict(config["encoders"]), dict(config["runs"])
    dataset = open_indexed(config["dataset"], Path(snakemake.input.val), Path(snakemake.params.generated))
    table = per_class_table(
        [read_evaluation(Path(path)) for path in snakemake.input.evaluations],
        encoders,
        runs,
        config["seeds"],
        class_ratios(dataset),
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
