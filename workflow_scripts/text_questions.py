"""Answers to the paper's research questions, as Markdown and HTML."""

import json
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.reporting.inputs import read_evaluation, read_profiles, read_selection
from vfm_fusion.reporting.questions.evidence import FINETUNED, PER_CLASS, SUPERVISED, gather, read_tidy
from vfm_fusion.reporting.questions_text import answers, questions_html, questions_markdown, reading_notes
from vfm_fusion.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    config = json.loads(snakemake.params.config)
    encoders, source = dict(config["encoders"]), snakemake.input
    columns = {"per_class": PER_CLASS, "supervised": SUPERVISED, "finetuned": FINETUNED}
    evidence = gather(
        [read_evaluation(Path(path)) for path in source.evaluations],
        read_profiles(dict(zip(encoders, map(Path, source.profiles), strict=True))),
        read_selection(Path(source.selection[0])),
        encoders,
        dict(config["runs"]),
        dict(config["fusions"]),
        config["seeds"],
        {name: read_tidy(Path(source[name]), keys) for name, keys in columns.items()},
    )
    found, notes = answers(evidence), reading_notes(evidence, config["seeds"])
    write_text(Path(snakemake.output.md), questions_markdown(found, notes))
    write_text(Path(snakemake.output.html), questions_html(found, notes))
