"""A finished study as a folder of small files that reads as one page (``make study``)."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from vfm_fusion.atomic import write_text
from vfm_fusion.errors import ReportingError

CONFIG = "config.resolved.yaml"
PAGE = {"README.md", CONFIG, "tables", "figures"}
"""What a published folder holds."""

Part = tuple[str, Sequence[str], Sequence[str]]

PARTS: tuple[Part, ...] = (
    ("Data and encoders", ("datasets", "encoders"), ("pca_maps", "energy_maps")),
    ("Profiles (Table 5)", ("profiles", "measures"), ("profiles",)),
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


class Page(NamedTuple):
    """How the page of an experiment introduces itself.

    Attributes:
        title: its heading.
        introduction: what stands below it.
        left_out: figures that are not published.
    """

    title: str
    introduction: str
    left_out: tuple[str, ...] = ()


PAGES = {
    "study": Page(
        "The study in miniature",
        "The paper's study with three mini encoders on generated street scenes: settings A to D of its Table "
        "6 at every injection stride, all baselines, five seeds. `make study` makes this page; "
        f"[{CONFIG}]({CONFIG}) holds every setting. It says nothing about DINO or SAM: it shows what the "
        "method's reasoning does on encoders that two cores train in half an hour. Published values of the "
        "paper stand below the measured ones where they exist.",
    ),
    "realdata_study": Page(
        "The study on real photos",
        "DINOv2-S, a real foundation model, with four small encoders at every injection stride, on CamVid "
        "(semantic segmentation) and Penn-Fudan (instances of pedestrians): frozen pairs in both directions, "
        "all frozen baselines, and the chosen pair with a fine-tuned master, three seeds each. `make "
        f"realdata-study` makes this page; [{CONFIG}]({CONFIG}) holds every setting. Each table stands for "
        "CamVid first, then for the other data sets. Photos and weights belong to others: figures that show "
        "photos are left out. Published values of the paper are of larger encoders on other data.",
        left_out=("pca_maps", "energy_maps", "qualitative", "controls"),
    ),
}
"""Experiment to its page."""


def publish(results: Path, target: Path) -> None:
    """Copies tables (CSV, Markdown) and figures (PNG) of a finished run and writes a page of them all.

    Those of other data sets and comparisons, whose names end in theirs, follow those of the main one.

    Args:
        results: folder of the run.
        target: folder that is made, or replaced where it holds an earlier page of this kind.

    Raises:
        ReportingError: the run is not finished or of an experiment without a page, or the folder holds
            something else.
    """
    page = _page_of(results / CONFIG)
    held = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if held and not (CONFIG in held and held <= PAGE):
        raise ReportingError(
            f"{target} holds no earlier page ({', '.join(sorted(PAGE))}) or more than one, so it is not "
            "replaced; name another"
        )
    tables = ["questions", *(name for _, names, _ in PARTS for name in names)]
    figures = [name for _, _, names in PARTS for name in names if name not in page.left_out]
    wanted = [f"tables/{name}.md" for name in tables] + [f"figures/{name}.png" for name in figures]
    missing = [path for path in wanted if not (results / path).is_file()]
    if missing:
        raise ReportingError(
            f"{results} lacks {', '.join(missing[:3])} ({len(missing)} files in all); finish the run first"
        )
    copied = [path for one in wanted for path in _every(results, one)]
    copied += [path.with_suffix(".csv") for path in copied if path.with_suffix(".csv").is_file()]
    shutil.rmtree(target, ignore_errors=True)
    for path in [*copied, results / CONFIG]:
        copy = target / path.relative_to(results)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    write_text(target / "README.md", _text(target, page))


def _page_of(config: Path) -> Page:
    """The page of the experiment that a resolved configuration is of."""
    if not config.is_file():
        raise ReportingError(f"{config.parent} lacks {config.name}; finish the run first")
    experiment = yaml.safe_load(config.read_text(encoding="utf-8"))["experiment"]
    if experiment not in PAGES:
        raise ReportingError(
            f"{config}: experiment {experiment!r} has no page; choose a run of: {', '.join(PAGES)}"
        )
    return PAGES[experiment]


def _every(folder: Path, main: str) -> list[Path]:
    """A file of the main data set or comparison, then those of the others."""
    path = folder / main
    return [path, *sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))]


def _text(target: Path, page: Page) -> str:
    lines = [f"# {page.title}", "", page.introduction, "", *_tables(target, "questions")]
    for heading, tables, figures in PARTS:
        lines += [f"## {heading}", ""]
        for name in tables:
            lines += _tables(target, name)
        for name in figures:
            shown = [] if name in page.left_out else _every(target, f"figures/{name}.png")
            for path in shown:
                lines += [f"![{path.stem.replace('_', ' ')}](figures/{path.name})", ""]
    return "\n".join(lines).rstrip() + "\n"


def _tables(target: Path, name: str) -> list[str]:
    """A table or text, and below the names of the others what it is for them."""
    main, *others = _every(target, f"tables/{name}.md")
    lines = [_table(main)]
    for path in others:
        lines += [f"**On {path.stem.removeprefix(f'{name}-')}**", "", _table(path)]
    return lines


def _table(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip().replace("\n## ", "\n### ") + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Publish a finished study as a folder of small files.")
    parser.add_argument("results", type=Path, help="folder of the finished run")
    parser.add_argument(
        "target", type=Path, help="folder that is made or, where it holds an earlier page, replaced"
    )
    publish(**vars(parser.parse_args()))
