"""Table of SC beside SC_GT and of their rank correlation over encoders."""

import json
from pathlib import Path

from vfm_fusion.reporting.image_scores import Bootstrap, read_image_scores
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.supervised import supervised_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    encoders = dict(config["encoders"])
    profiles = zip(encoders, snakemake.input.profiles, strict=True)
    supervised = zip(encoders, snakemake.input.supervised, strict=True)
    table = supervised_table(
        {name: read_image_scores(Path(path), ["definition"]) for name, path in profiles},
        {name: read_image_scores(Path(path), ["labels"]) for name, path in supervised},
        encoders,
        config["dataset"],
        config["definition"],
        Bootstrap(*config["bootstrap"]),
        published_table(read_published(Path(published)), "7") if published else None,
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
