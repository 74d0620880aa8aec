"""A finished run as a folder of small files that reads as one page (``make study``)."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.errors import ReportingError

CONFIG = "config.resolved.yaml"
PAGE = {"README.md", CONFIG, "tables", "figures"}
"""What a published folder holds."""

Part = tuple[str, Sequence[str], Sequence[str]]

PARTS: tuple[Part, ...] = (
    ("Data and encoders", ("datasets", "encoders"), ("pca_maps", "energy_maps")),
    ("Profiles (Table 5)", ("profiles",), ("profiles",)),
    ("Selection", ("selection", "stability"), ("sc_ef_plane", "stability")),
    ("Results", ("main_results",), ("qualitative",)),
    ("Classes (Table 4)", ("per_class",), ()),
    ("Injection strides (Table 6)", ("injection_stride",), ()),
    (
        "Predictors of the best stride",
        ("stride_prediction", "predictors", "predictor_points"),
        ("predictors",),
    ),
    ("Validity (Table 7)", ("supervised", "stride_gain", "controls"), ("controls",)),
    ("Fine-tuning (Table 8)", ("finetuned",), ()),
    ("Sensitivity", ("sensitivity",), ("sensitivity",)),
    ("Cost", ("cost", "runtime"), ("training_curves",)),
)
"""Heading, tables and figures of each section, after the answers to the questions."""


def publish(results: Path, target: Path, title: str, introduction: str) -> None:
    """Copies tables (CSV, Markdown) and figures (PNG) of a finished run and writes a page of them all.

    Args:
        results: folder of the run.
        target: folder that is made, or replaced where it holds an earlier page of this kind.
        title: heading of the page.
        introduction: what stands below it.

    Raises:
        ReportingError: the run is not finished, or the folder holds something else.
    """
    tables = ["questions", *(name for _, names, _ in PARTS for name in names)]
    figures = [name for _, _, names in PARTS for name in names]
    wanted = [f"tables/{name}.md" for name in tables] + [f"figures/{name}.png" for name in figures]
    missing = [path for path in [*wanted, CONFIG] if not (results / path).is_file()]
    if missing:
        raise ReportingError(
            f"{results} lacks {', '.join(missing[:3])} ({len(missing)} files in all); finish the run first"
        )
    held = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if held and not (CONFIG in held and held <= PAGE):
        raise ReportingError(
            f"{target} holds no earlier page ({', '.join(sorted(PAGE))}) or more than one, so it is not "
            "replaced; name another"
        )
    wanted += [f"tables/{name}.csv" for name in tables if (results / f"tables/{name}.csv").is_file()]
    shutil.rmtree(target, ignore_errors=True)
    for path in [*wanted, CONFIG]:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(results / path, target / path)
    write_text(target / "README.md", _page(target, title, introduction))


def _page(target: Path, title: str, introduction: str) -> str:
    lines = [f"# {title}", "", introduction, "", _table(target, "questions")]
    for heading, tables, figures in PARTS:
        lines += [f"## {heading}", ""]
        for name in tables:
            lines += [_table(target, name)]
        for name in figures:
            lines += [f"![{name.replace('_', ' ')}](figures/{name}.png)", ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(target: Path, name: str) -> str:
    text = (target / f"tables/{name}.md").read_text(encoding="utf-8").strip()
    return text.replace("\n## ", "\n### ") + "\n"


def main(results: Path, target: Path) -> None:
    """Publishes the study."""
    publish(
        results,
        target,
        "The study in miniature",
        "The paper's study with three mini encoders on generated street scenes: settings A to D of its Table "
        "6 at every injection stride, all baselines, five seeds. `make study` makes this page; "
        f"[{CONFIG}]({CONFIG}) holds every setting. It says nothing about DINO or SAM: it shows what the "
        "method's reasoning does on encoders that two cores train in half an hour. Published values of the "
        "paper stand below the measured ones where they exist.",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Publish a finished study as a folder of small files.")
    parser.add_argument("results", type=Path, help="folder of the finished run")
    parser.add_argument(
        "target", type=Path, help="folder that is made or, where it holds an earlier page, replaced"
    )
    main(**vars(parser.parse_args()))
