"""Table of what every run's model costs."""

import json
from pathlib import Path

from vfm_fusion.reporting.inputs import read_benchmarks, read_cost
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.cost import cost_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    published = snakemake.input.published
    costs = [read_cost(Path(path)) for path in snakemake.input.costs]
    trainings = zip(config["trainings"], snakemake.input.trainings, strict=True)
    jobs = {Path(path): run for run, path in trainings}
    seconds = {run: [] for run in jobs.values()}
    for path, run in jobs.items():
        seconds[run] += read_benchmarks({path: "train"})["seconds"].tolist()
    table = cost_table(
        {cost["run"]: cost for cost in costs},
        seconds,
        dict(config["encoders"]),
        dict(config["runs"]),
        published_table(read_published(Path(published)), "11") if published else None,
    )
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
