"""Table of the auxiliary's EF and of what its injection gains, per stride."""

import json
from pathlib import Path

from vfm_fusion.reporting.image_scores import Bootstrap, read_image_scores
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.stride_gain import stride_gain_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    encoders = dict(config["encoders"])
    profiles = zip(encoders, snakemake.input.profiles, strict=True)
    table = stride_gain_table(
        [read_evaluation(Path(path)) for path in snakemake.input.evaluations],
        {name: read_image_scores(Path(path), ["definition"]) for name, path in profiles},
        encoders,
        dict(config["runs"]),
        dict(config["fusions"]),
        config["seeds"],
        config["definition"],
        Bootstrap(*config["bootstrap"]),
        published_table(read_published(Path(published)), "7") if published else None,
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
