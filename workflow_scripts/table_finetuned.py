"""Table of SC and EF of encoders before and after fine-tuning."""

import json
from pathlib import Path

from vfm_fusion.reporting.image_scores import Bootstrap, read_image_scores
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.finetuned import finetuned_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    encoders = dict(config["encoders"])
    before = zip(encoders, snakemake.input.before, strict=True)
    after = zip(config["finetuned"], snakemake.input.after, strict=True)
    table = finetuned_table(
        {name: read_image_scores(Path(path), ["definition"]) for name, path in before},
        {
            (run, seed): read_image_scores(Path(path), ["role", "encoder", "definition"])
            for (run, seed), path in after
        },
        encoders,
        dict(config["runs"]),
        config["dataset"],
        config["definition"],
        Bootstrap(*config["bootstrap"]),
        published_table(read_published(Path(published)), "8") if published else None,
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
