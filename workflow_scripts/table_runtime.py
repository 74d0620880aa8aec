"""Table of time and memory of every stage, from Snakemake's benchmark files."""

from pathlib import Path

from vfm_fusion.reporting.inputs import read_benchmarks
from vfm_fusion.reporting.render.write import write_table
from vfm_fusion.reporting.tables.runtime import runtime_table
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    named = {rule: [paths] if isinstance(paths, str) else paths for rule, paths in snakemake.input.items()}
    files = {Path(path): rule for rule, paths in named.items() for path in paths}
    table = runtime_table(read_benchmarks(files), order=list(named))
    write_table(table, **{kind: Path(path) for kind, path in snakemake.output.items()})
