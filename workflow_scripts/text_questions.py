"""Answers to the paper's research questions, as Markdown and HTML."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.reporting.questions.evidence import FINETUNED, PER_CLASS, SUPERVISED, Evidence, read_tidy
from vfm_fusion.reporting.questions_text import answers, questions_html, questions_markdown, reading_notes
from vfm_fusion.reporting.stride_sweep import read_sweep
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    source = snakemake.input
    config = json.loads(snakemake.params.config)
    evidence = Evidence(
        sweep=read_sweep(config, source.evaluations, source.profiles, source.selection[0]),
        per_class=read_tidy(Path(source.per_class), PER_CLASS),
        supervised=read_tidy(Path(source.supervised), SUPERVISED),
        finetuned=read_tidy(Path(source.finetuned), FINETUNED),
    )
    found, notes = answers(evidence), reading_notes(evidence)
    write_text(Path(snakemake.output.md), questions_markdown(found, notes))
    write_text(Path(snakemake.output.html), questions_html(found, notes))
