"""A profile as a page, in a notebook, and on a terminal."""

from __future__ import annotations

from html import escape
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from vfm_fusion.reporting.render.html import fragment, page
from vfm_fusion.reporting.selection_text import stability_sentence
from vfm_fusion.reporting.table import Cell, lay_out
from vfm_fusion.reporting.tables.profiles import NOT_CLEARED

if TYPE_CHECKING:
    from vfm_fusion.profiling.profile_result import Profile

_IN_NOTEBOOK = (
    "<style>.vfm-fusion caption { text-align: left; caption-side: top; } "
    ".vfm-fusion small { display: block; opacity: .7; } "
    ".vfm-fusion td, .vfm-fusion th { white-space: nowrap; }</style>"
)
_WIDTH = 110


def headline(profile: Profile) -> str:
    """Says in a sentence what was profiled and what follows."""
    count = len(profile.scores)
    images = next(iter(profile.scores.values()))["image_id"].nunique()
    text = f"{count} encoder{'s' if count > 1 else ''} on {images} image{'s' if images > 1 else ''}"
    if (chosen := profile.chosen[0]) is None:
        return text
    return f"{text}: {chosen['master']} as master, {chosen['auxiliary']} injected at OS {chosen['stride']}"


def whole_page(profile: Profile) -> str:
    """Renders a page that stands alone: the choice, both figures, every table."""
    return page(f"Profile of {profile.name}", f"<h1>Profile of {escape(profile.name)}</h1>\n{_body(profile)}")


def notebook_part(profile: Profile) -> str:
    """Renders the same for the output of a cell."""
    return f'<div class="vfm-fusion">{_IN_NOTEBOOK}\n{_body(profile)}</div>'


def terminal(profile: Profile) -> RenderableType:
    """Renders what fits a terminal: the scores without their intervals, and the choice."""
    layout = lay_out(profile.table)
    parts: list[RenderableType] = [Text(headline(profile), style="bold")]
    for title, rows in layout.sections:
        shown = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in profile.table.columns:
            heading = f"{column.group} {column.title.removeprefix('OS ')}".strip()
            shown.add_column(heading, justify="left" if column.digits is None else "right")
        for cells in rows:
            shown.add_row(*(_short(cell) for cell in cells))
        parts.append(shown)
    parts += [Text(f"{mark}: {reason}") for mark, reason in layout.footnotes.items()]
    parts.append(Text(f"SC and EF at each output stride; {NOT_CLEARED}: does not clear its null floor"))
    if len(profile.scores) > 1 and profile.chosen[0] is None:
        parts.append(Text(f"No pair could be chosen: {profile.chosen[1]}."))
    parts += [Text(f"Beware: {sentence}") for sentence in _warnings(profile)]
    return Group(*parts)


def plain(profile: Profile) -> str:
    """Renders :func:`terminal` as plain text."""
    written = StringIO()
    Console(file=written, width=_WIDTH).print(terminal(profile))
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _body(profile: Profile) -> str:
    chosen, reason = profile.chosen
    lines = [f"<p><b>{escape(headline(profile))}.</b></p>"]
    if chosen is not None:
        why = [text for text in chosen["reasons"] if text not in chosen["warnings"]]
        why.append(stability_sentence(profile.stability))
        lines += ["<ol>", *(f"<li>{escape(sentence)}</li>" for sentence in why), "</ol>"]
    elif len(profile.scores) > 1:
        lines.append(f'<p class="problem">No pair could be chosen: {escape(reason)}.</p>')
    lines += [f'<p class="problem">Warning: {escape(text)}</p>' for text in _warnings(profile)]
    lines.append(profile.plot()._repr_html_())
    lines += [fragment(table) for table in profile.tables]
    return "\n".join(lines) + "\n"


def _warnings(profile: Profile) -> list[str]:
    chosen = profile.chosen[0]
    left_out = [f"{one.image_id} was left out: {one.reason}" for one in profile.skipped]
    return [*(chosen["warnings"] if chosen else ()), *left_out]


def _short(cell: Cell) -> Text:
    if not cell.numeric:
        return Text(cell.text)
    mark = NOT_CLEARED if cell.below.endswith(NOT_CLEARED) else cell.mark
    style = " ".join(name for name in ("bold", "underline") if getattr(cell, name))
    return Text(f"{cell.text}{mark}", style=style)
