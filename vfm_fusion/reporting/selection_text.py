"""Why this pair: the selection in words, as Markdown and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.labels import EncoderLabels, full_label, leading, stride_reason
from vfm_fusion.reporting.render.html import page
from vfm_fusion.reporting.render.markdown import escape as escape_markdown
from vfm_fusion.reporting.render.text_files import Text
from vfm_fusion.reporting.result_files import read_selection, read_stability
from vfm_fusion.selection.other_definitions import other_choices

TITLE = "Why this pair"


ELSEWHERE = "Since that peak does not clear its null, what the other definitions would choose"


def selection_markdown(
    selection: Mapping[str, Any],
    stability: Mapping[str, Any],
    labels: EncoderLabels,
    elsewhere: Sequence[str] = (),
) -> str:
    """Renders a parsed ``selection.json`` as Markdown, with a sentence from its ``stability.json``.

    Args:
        selection: the choice.
        stability: how stable it is.
        labels: names of the encoders in print.
        elsewhere: see :func:`vfm_fusion.selection.other_definitions.other_choices`.

    Raises:
        ReportingError: a chosen encoder has no label.
    """
    roles = [f"- **{name}:** {escape_markdown(value)}" for name, value in _roles(selection, labels)]
    reasons = [
        f"{index}. {escape_markdown(reason)}"
        for index, reason in enumerate(_reasons(selection, stability), start=1)
    ]
    warnings = [f"\n**Warning:** {escape_markdown(warning)}" for warning in selection["warnings"]]
    others = [f"- {escape_markdown(sentence)}" for sentence in elsewhere]
    others = [f"\n{ELSEWHERE}:", "", *others] if others else []
    return "\n".join([f"## {TITLE}", "", *roles, "", *reasons, *warnings, *others]) + "\n"


def selection_html(
    selection: Mapping[str, Any],
    stability: Mapping[str, Any],
    labels: EncoderLabels,
    elsewhere: Sequence[str] = (),
) -> str:
    """Renders the same as a standalone page.

    Raises:
        ReportingError: a chosen encoder has no label.
    """
    roles = [f"<p><b>{escape(name)}:</b> {escape(value)}</p>" for name, value in _roles(selection, labels)]
    reasons = [f"<li>{escape(reason)}</li>" for reason in _reasons(selection, stability)]
    warnings = [f'<p class="problem">Warning: {escape(text)}</p>' for text in selection["warnings"]]
    lines = [f"<h2>{TITLE}</h2>", *roles, "<ol>", *reasons, "</ol>", *warnings]
    if elsewhere:
        others = [f"<li>{escape(sentence)}</li>" for sentence in elsewhere]
        lines += [f"<p>{ELSEWHERE}:</p>", "<ul>", *others, "</ul>"]
    return page(TITLE, "\n".join(lines) + "\n")


def stability_sentence(stability: Mapping[str, Any]) -> str:
    """Says how often resampled images give the same choice.

    Args:
        stability: parsed ``stability.json``, see :func:`vfm_fusion.selection.stability.assess_stability`.
    """
    resamples = next(r for r in stability["repetitions"] if r["kind"] == "resamples")
    if resamples["reason"]:
        return f"How stable the choice is was not found out: {resamples['reason']}."
    agreement = {part: _percent(share) for part, share in resamples["agreement"].items()}
    return (
        f"In {agreement['pair_and_stride']} of {resamples['draws']} resamples of the {stability['images']} "
        f"images the same pair and stride are chosen (master {agreement['master']}, auxiliary "
        f"{agreement['auxiliary']}, stride {agreement['stride']})."
    )


def _percent(share: float) -> str:
    """Rounds to whole percents, but never to none or all of what is not."""
    if 0 < share < 0.005:
        return "less than 1 %"
    if 0.995 <= share < 1:
        return "more than 99 %"
    return f"{100 * share:.0f} %"


def _reasons(selection: Mapping[str, Any], stability: Mapping[str, Any]) -> list[str]:
    plain = [reason for reason in selection["reasons"] if reason not in selection["warnings"]]
    return [*plain, stability_sentence(stability)]


def _roles(selection: Mapping[str, Any], labels: EncoderLabels) -> list[tuple[str, str]]:
    reverse = selection["reverse"]
    return [
        ("Data set", selection["dataset"]),
        ("Rule", leading(selection)),
        ("Metric definition", selection["definition"]),
        ("Master", full_label(labels, selection["master"])),
        ("Auxiliary", full_label(labels, selection["auxiliary"])),
        ("Injection stride", f"OS {selection['stride']} ({stride_reason(selection)})"),
        (
            "Reverse direction",
            f"{full_label(labels, reverse['auxiliary'])} into {full_label(labels, reverse['master'])} "
            f"at OS {reverse['stride']}",
        ),
    ]


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Text:
    """Builds the report ``text_selection``."""
    labels = dict(settings["encoders"])
    selection = read_selection(inputs["selection"][0])
    stability = read_stability(inputs["stability"][0])
    summaries = zip(labels, inputs["summaries"], strict=True)
    elsewhere = other_choices(selection, {name: pd.read_parquet(path) for name, path in summaries})
    return Text(
        selection_markdown(selection, stability, labels, elsewhere),
        selection_html(selection, stability, labels, elsewhere),
    )
