"""The answers to the research questions, as Markdown and as an HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.questions import classes, finetuning, profiles, strides, validity
from vfm_fusion.reporting.questions.answer import Answer
from vfm_fusion.reporting.questions.evidence import FINETUNED, PER_CLASS, SUPERVISED, Evidence, read_tidy
from vfm_fusion.reporting.records import average_note, images_in_words, one_per_target, seeds_note
from vfm_fusion.reporting.render.html import page
from vfm_fusion.reporting.render.markdown import escape as escape_markdown
from vfm_fusion.reporting.render.text_files import Text
from vfm_fusion.reporting.stride_sweep import read_sweep
from vfm_fusion.reporting.verdicts import MIN_IMAGES, MIN_SEEDS

_HEADLINE = re.compile(r"^### (RQ\d+): .*\n\n\*\*(.*)\*\*$", re.MULTILINE)
TITLE = "What this run answers to the paper's five questions"


def answers(evidence: Evidence) -> list[Answer]:
    """Returns the answers to RQ1 to RQ5."""
    return [module.answer(evidence) for module in (classes, profiles, strides, validity, finetuning)]


def questions_markdown(found: Sequence[Answer], notes: Sequence[str]) -> str:
    """Renders answers, then notes, as Markdown."""
    lines = [f"## {TITLE}", ""]
    for one in found:
        lines += [
            f"### {one.key}: {escape_markdown(one.question)}",
            "",
            f"**{escape_markdown(one.headline)}**",
        ]
        lines += ["", *(f"- {escape_markdown(finding.text)}" for finding in one.findings), ""]
    return "\n".join([*lines, "  \n".join(escape_markdown(note) for note in notes)]) + "\n"


def read_headlines(path: Path) -> list[tuple[str, str]]:
    """Reads the key and the headline of every answer from the Markdown file.

    Raises:
        ReportingError: it holds none.
    """
    found = _HEADLINE.findall(path.read_text(encoding="utf-8"))
    if not found:
        raise ReportingError(f"{path}: holds no answer; make it again")
    return found


def questions_html(found: Sequence[Answer], notes: Sequence[str]) -> str:
    """Renders the same as a standalone page."""
    lines = [f"<h2>{escape(TITLE)}</h2>"]
    for one in found:
        lines += [f"<h3>{one.key}: {escape(one.question)}</h3>", f"<p><b>{escape(one.headline)}</b></p>"]
        lines += ["<ul>", *(f"<li>{escape(finding.text)}</li>" for finding in one.findings), "</ul>"]
    shown = [f"<p>{escape(note)}</p>" for note in notes]
    return page(TITLE, "\n".join([*lines, '<div class="notes">', *shown, "</div>"]) + "\n")


def reading_notes(evidence: Evidence) -> list[str]:
    """Says what is compared with what, and what stands in brackets."""
    pair = [evidence.name(encoder) for encoder in (evidence.structure, evidence.edges)]
    evaluated = one_per_target(evidence.sweep.results)
    images = f"Results on {images_in_words(evaluated)}. " if evaluated else ""
    return [
        f"Structure encoder: {pair[0]}; edge encoder: {pair[1]}. A, B: edges injected into structure, master "
        "fine-tuned or frozen; C, D: the reverse.",
        f"{images}{seeds_note(evidence.sweep.seeds)} Brackets behind points: 95 % interval of Student's t "
        "over seeds; behind SC and EF: 95 % bootstrap interval over images. A change by fine-tuning counts "
        "beyond both.",
        "An answer takes a side that more than half of its tests take, those that could not be made counted; "
        f"so does a test over strides. Each needs {MIN_IMAGES} images or more, where models were trained "
        f"{MIN_SEEDS} seeds or more, and of SC and EF that the higher score clears its null floor.",
        *([average_note(evaluated)] if len(evaluated) > 1 else []),
        *(f"Incomplete: {result.problem}." for result in evidence.sweep.results if result.problem),
    ]


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Text:
    """Builds the report ``text_questions``."""
    evidence = Evidence(
        sweep=read_sweep(settings, inputs["evaluations"], inputs["profiles"], inputs["selection"][0]),
        per_class=read_tidy(inputs["per_class"][0], PER_CLASS),
        supervised=read_tidy(inputs["supervised"][0], SUPERVISED),
        finetuned=read_tidy(inputs["finetuned"][0], FINETUNED),
    )
    found, notes = answers(evidence), reading_notes(evidence)
    return Text(questions_markdown(found, notes), questions_html(found, notes))
