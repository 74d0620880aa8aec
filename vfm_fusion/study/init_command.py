"""``python -m vfm_fusion init``: writes an experiment for own encoders and data, and checks it."""

from __future__ import annotations

import argparse
import os
from contextlib import chdir
from pathlib import Path

import yaml

import vfm_fusion
from vfm_fusion.atomic import write_text
from vfm_fusion.datasets.kinds import data_root, reader
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.own_experiment import data_settings, encoder_settings, experiment_text
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.resolve import experiments, from_command_line, validate
from vfm_fusion.study.study import Study

ROOT = Path(vfm_fusion.__file__).parents[1]
"""The clone, whose experiments/ has the experiments."""

_DESCRIPTION = """\
Write experiments/NAME.yaml, a commented experiment for encoders and data of your own, and check it
as planning does: settings, encoders, folders, files of labels, weights. What does not pass is not
written. Nothing is computed and nothing is downloaded; of weights that are not here yet is said
where to get them. Paths are as seen from where you are. docs/your_data.md has more.
"""
_EXAMPLES = """\
examples:
  python -m vfm_fusion init photos --images ~/photos --encoders dinov2_vits14 timm:convnext_tiny.fb_in1k
  python -m vfm_fusion init parts --images parts/photos --masks parts/masks/{}.png \\
      --classes background wheel window --encoders dinov2_vitb14 sam_vitb16 --runs
  python -m vfm_fusion init people --images people/{split} --coco people/instances_{split}.json \\
      --encoders timm:convnext_tiny=epoch_100.pth
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the experiment, its data set and its folder of results")
    add(
        "--images",
        required=True,
        metavar="DIR",
        help="folder of photos, searched at any depth; {split} in a path stands for train and val",
    )
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument(
        "--masks",
        metavar="PATTERN",
        help="path of a mask, with {} for its photo's path below DIR without the extension: masks/{}.png",
    )
    labels.add_argument(
        "--coco", metavar="JSON", help="annotations in COCO's format, of any categories; names are below DIR"
    )
    add(
        "--classes",
        nargs="+",
        default=(),
        metavar="CLASS",
        help="of masks: names for the ids 0, 1, 2, ..., or NAME=ID, or NAME=RED,GREEN,BLUE; of a JSON: the "
        "categories that are evaluated (default: all)",
    )
    add(
        "--encoders",
        nargs="+",
        required=True,
        metavar="ENCODER",
        help="names of the registry (docs/encoders.md) or timm:NAME.TAG, with weights from the hub; or "
        "NAME=FILE, with weights from a file; or mini-dino, mini-sam, mini-swin, which are here",
    )
    add("--runs", action="store_true", help="train too; otherwise the settings of runs are comments")


def run(arguments: argparse.Namespace) -> int:
    """Writes the experiment and says what was found.

    Raises:
        ConfigError: there is such an experiment already, or the settings contradict each other.
        DatasetLayoutError: photos or labels are not where they are said to be.
        CorruptImageError: a JSON is damaged.
        LabelError: it contradicts itself or the settings.
        WeightsError: weights are not those that the registry expects.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # as planning does: it fetches nothing
    name, path = arguments.name, _path(arguments.name)
    data = data_settings(
        arguments.images, arguments.masks, arguments.coco, arguments.classes, ROOT, split=arguments.runs
    )
    text = experiment_text(name, data, encoder_settings(arguments.encoders, ROOT), runs=arguments.runs)
    study = Study(validate({"experiment": name, **yaml.safe_load(text)}))
    if from_command_line(name) != name:
        raise ConfigError(f"experiment: {name!r} is no word where Snakemake reads it; begin with a letter")
    with chdir(ROOT):  # where planning starts
        found = _found(study)
        owned = Owned(study)
        owned.check_weights()
    write_text(path, text)
    target = "all" if study.has_runs else "select" if study.has_pair else "profiles"
    where = "" if Path.cwd().samefile(ROOT) else f" (in {ROOT})"
    lines = [
        f"{path} is written, and passes the checks of planning.",
        *found,
        f"encoders: {', '.join(study.config.encoders)}",
        *(f"needed before a run: {line}" for line in owned.absent),
        f"Next{where}, the plan: .venv/bin/snakemake -n --config experiment={name} -- {target}",
    ]
    print("\n".join(lines))
    return 0


def _path(name: str) -> Path:
    folder = ROOT / "experiments"
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; experiments are those of a clone, so call init there")
    if name in experiments(folder):
        raise ConfigError(f"{folder / name}.yaml: is there already; edit it, remove it or take another name")
    return folder / f"{name}.yaml"


def _found(study: Study) -> list[str]:
    """A line on every split that will be read: its images, and what is left out."""
    lines = []
    for name, split in study.splits:
        config = study.config.datasets[name]
        root = data_root(config, Path(), name)
        listing = reader(config.kind).listing(config, root, split)
        left_out = [f"{count} {what}" for what, count in sorted(listing.left_out.items())]
        rest = f"; left out: {', '.join(left_out)}" if left_out else ""
        purpose = "training" if split == "train" else "profiles and validation"
        lines.append(f"images: {len(listing.files)} for {purpose}, in {root}{rest}")
    return lines
