"""Writes the tables of docs/encoders.md from the registry: ``python -m vfm_fusion.encoders.document``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.spec import HALF, IMAGENET_MEAN, EncoderSpec

PAGE = Path("docs/encoders.md")
_BEGIN, _END = "<!-- generated: {} -->", "<!-- end -->"


def encoder_rows() -> list[list[str]]:
    """Returns what every encoder gives and learned from, header first."""
    rows = [["name", "stride: channels", "sides", "sees", "normalisation", "pre-training", "licence"]]
    for name, spec in ARCHITECTURES.items():
        rows.append(
            [
                f"`{name}`",
                ", ".join(f"{stride}: {spec.channels[stride]}" for stride in spec.strides),
                f"x{spec.size_divisor}",
                _sees(spec),
                _normalisation(spec),
                spec.published.pretraining if spec.published else "this project's: resources/encoders",
                spec.published.licence if spec.published else "",
            ]
        )
    return rows


def source_rows() -> list[list[str]]:
    """Returns where the weights of every published encoder are, header first."""
    rows = [["name", "hub repository", "pinned revision", "official checkpoint (`format: official`)"]]
    for name, spec in ARCHITECTURES.items():
        published = spec.published
        if published is None or (published.hub is None and published.official is None):
            continue
        hub, official = published.hub, published.official
        rows.append(
            [
                f"`{name}`",
                f"{hub.repository}{' (gated)' if hub.gated else ''}" if hub else "",
                f"`{hub.revision}`" if hub and hub.revision else "none: give `revision`",
                f"{official.filename}{' (gated)' if official.gated else ''}, {official.source}"
                if official
                else "",
            ]
        )
    return rows


def with_tables(page: str) -> str:
    """Returns the page with its generated parts brought up to date.

    Raises:
        ValueError: the page lacks a mark.
    """
    for name, rows in (("encoders", encoder_rows()), ("sources", source_rows())):
        begin = _BEGIN.format(name)
        head, _, rest = page.partition(begin)
        _, end, tail = rest.partition(_END)
        if not end:
            raise ValueError(f"{PAGE}: no part between {begin!r} and {_END!r}")
        page = f"{head}{begin}\n{_table(rows)}\n{end}{tail}"
    return page


def _sees(spec: EncoderSpec) -> str:
    stride = spec.strides[0]
    own = f"{spec.cell(stride)}/{stride} of its size" if spec.cell(stride) != stride else "as it is"
    return f"{own}; fixed: {'padded' if spec.fixed_fit == 'pad' else 'squashed'}"


def _normalisation(spec: EncoderSpec) -> str:
    return {IMAGENET_MEAN: "ImageNet", HALF: "0.5"}.get(spec.mean, "CLIP")


def _table(rows: Iterable[list[str]]) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * head.count(" | ") + "---|", *body])


def main() -> int:
    """Writes the page; with ``--check`` only says whether it is up to date."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = with_tables(page)
    if fresh == page:
        return 0
    if "--check" in sys.argv:
        print(f"{PAGE}: out of date; run python -m vfm_fusion.encoders.document")
        return 1
    write_text(PAGE, fresh)
    print(f"{PAGE}: written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
