"""Which upsampler wins, and whether scores of its maps knew: as Markdown and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from vfm_fusion.reporting.click_results import read_clicks, read_objects
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.records import seeds_note
from vfm_fusion.reporting.render.html import page
from vfm_fusion.reporting.render.markdown import escape as escape_markdown
from vfm_fusion.reporting.render.text_files import Text
from vfm_fusion.reporting.upsampled_quality import read_qualities
from vfm_fusion.reporting.upsampling_answers import (
    Evidence,
    Told,
    against_references,
    late_or_early,
    who_knew,
    winner,
)
from vfm_fusion.reporting.verdicts import MIN_IMAGES, MIN_SEEDS, MIN_SETTINGS

TITLE = "Which upsampler wins"


def answers(evidence: Evidence) -> list[Told]:
    """Returns the answers to all questions."""
    return [question(evidence) for question in (winner, against_references, late_or_early, who_knew)]


def reading_notes(evidence: Evidence) -> list[str]:
    """Says what is compared, what stands in brackets, and what it takes to say more."""
    results = evidence.results
    return [
        f"A comparison is one data set, encoder and click model; clicks are those to an IoU of "
        f"{results.percent} percent, at most {results.max_clicks}. {seeds_note(results.names.seeds)}",
        "Brackets behind clicks: 95 % percentile bootstrap over images "
        f"({evidence.bootstrap.resamples} resamples), each with all its objects; behind correlations: over "
        "upsamplers. A negative difference is fewer clicks.",
        f"Beyond chance: the interval over images and that of Student's t over seeds are clear of zero, on "
        f"{MIN_IMAGES} images and {MIN_SEEDS} seeds or more; for a score, the interval over upsamplers, of "
        f"{MIN_SETTINGS} or more. The fewest clicks are looked for among all upsamplers, not corrected for "
        "the number of looks.",
    ]


def upsampling_text(told: Sequence[Told], notes: Sequence[str]) -> Text:
    """Renders answers, then notes."""
    markdown, html = [f"## {TITLE}", ""], [f"<h2>{escape(TITLE)}</h2>"]
    for one in told:
        markdown += [f"### {escape_markdown(one.question)}", "", f"**{escape_markdown(one.headline)}**", ""]
        html += [f"<h3>{escape(one.question)}</h3>", f"<p><b>{escape(one.headline)}</b></p>"]
        if one.sentences:
            markdown += [*(f"- {escape_markdown(sentence)}" for sentence in one.sentences), ""]
            html += ["<ul>", *(f"<li>{escape(sentence)}</li>" for sentence in one.sentences), "</ul>"]
    markdown.append("  \n".join(escape_markdown(note) for note in notes))
    html += ['<div class="notes">', *(f"<p>{escape(note)}</p>" for note in notes), "</div>"]
    return Text("\n".join(markdown) + "\n", page(TITLE, "\n".join(html) + "\n"))


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Text:
    """Builds the report ``text_upsampling``."""
    results = read_clicks(inputs["scores"], settings)
    evidence = Evidence(
        results=results,
        objects=read_objects(results, inputs["scores"], inputs["objects"]),
        qualities=read_qualities(inputs["quality"], inputs["costs"]),
        bootstrap=Bootstrap(*settings["bootstrap"]),
    )
    return upsampling_text(answers(evidence), reading_notes(evidence))
