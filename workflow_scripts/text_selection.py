"""The selection in words, as Markdown and HTML."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.reporting.inputs import read_selection, read_stability
from vfm_fusion.reporting.selection_text import selection_html, selection_markdown
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    labels = dict(json.loads(snakemake.params.config)["encoders"])
    selection = read_selection(Path(snakemake.input.selection[0]))
    stability = read_stability(Path(snakemake.input.stability[0]))
    write_text(Path(snakemake.output.md), selection_markdown(selection, stability, labels))
    write_text(Path(snakemake.output.html), selection_html(selection, stability, labels))
