"""Why this pair: the selection in words, as Markdown and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.render.html import page
from vfm_fusion.reporting.render.markdown import escape as escape_markdown

TITLE = "Why this pair"


def selection_markdown(selection: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Renders a parsed ``selection.json`` as Markdown.

    Raises:
        ReportingError: a chosen encoder has no label.
    """
    roles = [f"- **{name}:** {escape_markdown(value)}" for name, value in _roles(selection, labels)]
    reasons = [
        f"{index}. {escape_markdown(reason)}" for index, reason in enumerate(selection["reasons"], start=1)
    ]
    return "\n".join([f"## {TITLE}", "", *roles, "", *reasons]) + "\n"


def selection_html(selection: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Renders a parsed ``selection.json`` as a standalone page.

    Raises:
        ReportingError: a chosen encoder has no label.
    """
    roles = [f"<p><b>{escape(name)}:</b> {escape(value)}</p>" for name, value in _roles(selection, labels)]
    reasons = [f"<li>{escape(reason)}</li>" for reason in selection["reasons"]]
    lines = [f"<h2>{TITLE}</h2>", *roles, "<ol>", *reasons, "</ol>"]
    return page(TITLE, "\n".join(lines) + "\n")


def _roles(selection: Mapping[str, Any], labels: EncoderLabels) -> list[tuple[str, str]]:
    reverse = selection["reverse"]
    return [
        ("Data set and task", f"{selection['dataset']}, {selection['task']}"),
        ("Master", full_label(labels, selection["master"])),
        ("Auxiliary", full_label(labels, selection["auxiliary"])),
        ("Injection stride", f"OS {selection['stride']} (peak {selection['stride_by'].upper()})"),
        (
            "Reverse direction",
            f"{full_label(labels, reverse['auxiliary'])} into {full_label(labels, reverse['master'])} "
            f"at OS {reverse['stride']}",
        ),
    ]
