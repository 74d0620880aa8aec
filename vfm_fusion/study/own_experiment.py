"""The text of an experiment for encoders and data of the user's own, with a comment on every line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from vfm_fusion.config.own_data import SPLIT
from vfm_fusion.encoders.describe import check_architecture
from vfm_fusion.encoders.shipped import SHIPPED
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ConfigError

_LOT = {"kind": "fraction", "val": 0.2, "seed": 0}
_COMMENTS = {
    "folder": "photos at any depth",
    "coco": "COCO's JSON with its own categories",
    "root": "where all paths of the data set start; environment variables ($DATA) are expanded",
    "images": "folder of the photos",
    "masks": "mask of a photo: {} is the photo's path below its folder, without the extension",
    "annotations": "instances or panoptic",
    "split": "a fifth for validation, the rest for training; others: docs/your_data.md",
}


def data_settings(
    images: str,
    masks: str | None,
    annotations: str | None,
    classes: Sequence[str],
    clone: Path,
    *,
    split: bool,
) -> dict[str, Any]:
    """The settings of a data set of kind ``folder`` or ``coco``.

    Args:
        images: folder of the photos.
        masks: path of a mask, ``{}`` in place of its photo's path below ``images``.
        annotations: a JSON of COCO's format; then there are no ``masks``.
        classes: names of classes, those of masks also as ``NAME=ID`` or ``NAME=RED,GREEN,BLUE``.
        clone: where the workflow starts; paths in it are written as seen from there.
        split: draw a part for validation where no path has ``{split}``.

    Raises:
        ConfigError: the paths have no folder in common, or a class is none.
    """
    given = {"images": images, "masks": masks, "annotations": annotations}
    paths = {key: _absolute(path) for key, path in given.items() if path is not None}
    root = _common(list(paths.values()))
    below = {key: str(PurePosixPath(path).relative_to(root)) for key, path in paths.items()}
    settings: dict[str, Any] = {
        "kind": "folder" if annotations is None else "coco",
        "root": _seen_from(clone, root),
    }
    settings |= {key: path for key, path in below.items() if (key, path) != ("images", ".")}
    if classes:
        settings["classes"] = [_class(entry) for entry in classes] if annotations is None else list(classes)
    if split and not any(SPLIT in path for path in below.values()):
        settings["split"] = _LOT
    return settings


def encoder_settings(names: Sequence[str], clone: Path) -> dict[str, dict[str, Any]]:
    """The settings of encoders by the names that tables have.

    Args:
        names: architectures, for weights from the hub; or ``ARCHITECTURE=FILE``; or mini encoders of
            :data:`~vfm_fusion.encoders.shipped.SHIPPED`.
        clone: as in :func:`data_settings`.

    Raises:
        ConfigError: an architecture is unknown or cannot be used.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        architecture, _, path = name.partition("=")
        plain = architecture.removeprefix("timm:")
        pretraining = None
        if name in SHIPPED:
            architecture, pretraining = SHIPPED[name]
            path = str(clone / "resources" / "encoders" / f"{name}.safetensors")
        key = base = "".join(c if c.isalnum() or c in "-_" else "-" for c in plain)
        number = 1
        while key in found:
            number += 1
            key = f"{base}-{number}"
        spec = check_architecture(f"encoders.{key}", architecture)
        weights = _file(_seen_from(clone, _absolute(path)), spec) if path else _hub(spec)
        if pretraining:
            weights |= {"pretraining": pretraining, "lineage": "none"}
        found[key] = {"architecture": architecture, "weights": weights}
    return found


def experiment_text(
    name: str, data: Mapping[str, Any], encoders: Mapping[str, Mapping[str, Any]], *, runs: bool
) -> str:
    """The experiment as commented YAML.

    Args:
        name: of the experiment, its data set and its folder of results.
        data: see :func:`data_settings`.
        encoders: see :func:`encoder_settings`.
        runs: train runs; otherwise their settings are comments.
    """
    task = "semantic" if data["kind"] == "folder" else "instance"
    training = _RUNS.format(task=task).splitlines()
    lines = [
        "# Begun by `python -m vfm_fusion init`; edit it as you like. Settings in comments are options.",
        "# Every setting, with its default and meaning: docs/config.default.yaml",
        f"paths: {_flow({'results': f'results/{name}'})}  # where everything that is made goes",
        "",
        "# The data: docs/your_data.md",
        "datasets:",
        f"  {_flow(name)}:  # its name in tables",
        *_data_lines(data),
        "",
        "# The encoders: docs/encoders.md and docs/your_encoder.md",
        "encoders:",
        *(line for key, encoder in encoders.items() for line in _encoder_lines(key, encoder)),
        "",
        "# For many or large photos: how many are profiled, and the pixels of the shorter side",
        "# features: {max_images: 500, image_size: {short_side: 512}}",
        "",
        "# Training runs, of the pair that the metrics choose: they need labels, `split`, and two encoders",
        *(training if runs else [f"# {line}" for line in training]),
    ]
    return "\n".join(lines) + "\n"


_RUNS = """\
training:  # docs/training.md
  task: {task}  # semantic (masks), instance or panoptic (COCO's JSON)
  steps: 20_000  # of the optimiser; the paper takes 180_000 for Cityscapes
  batch_size: 3  # images in each
  augmentation:  # height and width of a crop of the image, whose shorter side is about so many pixels
    crop: [512, 512]
    scale: {{kind: short_side, pixels: 512, max_side: 2048}}
  # cached_views: 8  # of each image, drawn once: frozen encoders then see them once and never run in training
evaluation: {{resize: {{short_side: 512, max_side: 2048}}}}  # at the size that was trained
runs:  # master and auxiliary: the roles that the profiles give the encoders; or their names
  master: {{label: Master alone, master: master}}
  auxiliary-frozen: {{label: Auxiliary alone, master: auxiliary, train_master: false}}
  fused: {{label: Fused, master: master, auxiliary: auxiliary}}
  fused-reverse: {{label: "Fused, reversed", master: auxiliary, auxiliary: master}}"""


def _absolute(path: str) -> str:
    """A path as it is found from anywhere; one that starts with ``$`` or ``~`` stays."""
    return os.path.normpath(path) if path.startswith(("$", "~")) else os.path.abspath(path)


def _seen_from(clone: Path, path: str) -> str:
    return str(Path(path).relative_to(clone)) if Path(path).is_relative_to(clone) else path


def _common(paths: list[str]) -> str:
    """The deepest folder that all paths lie in, without anything in braces."""
    try:
        found = os.path.commonpath(paths)
    except ValueError:  # a variable and the root of the file system
        found = ""
    parts = PurePosixPath(found).parts
    fixed = next((n for n, part in enumerate(parts) if "{" in part), len(parts))
    if not fixed:
        raise ConfigError(
            f"root: {' and '.join(map(repr, paths))} have no folder in common for the paths to start from; "
            "write all of them with the same variable, or without"
        )
    return str(PurePosixPath(*parts[:fixed]))


def _class(entry: str) -> str | dict[str, Any]:
    name, equals, value = entry.partition("=")
    if not equals:
        return entry
    try:
        numbers = [int(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3):
        raise ConfigError(
            f"classes: expected NAME, NAME=ID or NAME=RED,GREEN,BLUE; found {entry!r}, as in wheel=7 or "
            "wheel=255,0,0"
        )
    return {"name": name, "id": numbers[0]} if len(numbers) == 1 else {"name": name, "color": numbers}


def _hub(spec: EncoderSpec) -> dict[str, Any]:
    hub = spec.published and spec.published.hub
    pinned = hub is None or hub.revision is not None
    return {"source": "hub"} if pinned else {"source": "hub", "revision": "main"}


def _file(path: str, spec: EncoderSpec) -> dict[str, Any]:
    official = spec.published and spec.published.official
    weights = {"source": "file", "path": path}
    if official and PurePosixPath(path).name == official.filename:
        weights["format"] = "official"
    if spec.published is None:
        weights["pretraining"] = "not stated"
    return weights


def _data_lines(data: Mapping[str, Any]) -> list[str]:
    kind = data["kind"]
    of_classes = (
        "of the categories, those that are evaluated"
        if kind == "coco"
        else "a mere name stands for the id of its place: 0, 1, 2, ..."
    )
    comments = {**_COMMENTS, "kind": _COMMENTS[kind], "classes": of_classes}
    lines = [f"{key}: {_flow(value)}  # {comments[key]}" for key, value in data.items()]
    if kind == "coco":
        lines.append("# ignore: [dontcare]  # categories that are void")
    elif "masks" in data:
        lines.append("# ignore: [255]  # ids, or colours as [255, 255, 255], that are void")
    else:
        lines.append(f'# masks: "masks/{{}}.png"  # {_COMMENTS["masks"]}')
        lines.append(f"# classes: [background, object]  # {of_classes}")
    if kind == "folder":
        lines.append(
            '# objects: {path: "objects/{}.png"}  # rasters that tell objects apart: docs/your_data.md'
        )
    if "split" not in data and not any(SPLIT in str(value) for value in data.values()):
        lines.append(f"# split: {_flow(_LOT)}  # {_COMMENTS['split']}")
    lines.append("# damaged: skip  # leave out images that cannot be read; otherwise they are refused")
    return [f"    {line}" for line in lines]


def _encoder_lines(key: str, encoder: Mapping[str, Any]) -> list[str]:
    architecture, weights = encoder["architecture"], encoder["weights"]
    published = check_architecture(f"encoders.{key}", architecture).published
    lines = [f"  {_flow(key)}:  # its name in tables", f"    architecture: {_flow(architecture)}"]
    if weights["source"] == "hub":
        lines.append(f"    weights: {_flow(weights)}  # the published ones, of the Hugging Face hub")
    else:
        lines.append("    weights:")
        lines += [f"      {name}: {_flow(value)}  # {_OF_WEIGHTS[name]}" for name, value in weights.items()]
        if "pretraining" not in weights:
            lines.append(f"      # pretraining: own photos  # {_OF_WEIGHTS['pretraining']}, if not published")
        lines.append("      # key: model.backbone  # where in a training script's checkpoint the encoder is")
    if published and published.lineage == "SAM":
        lines.append("    # resolution: 1024  # the square that it was trained on; left out: as the photo is")
    return lines


_OF_WEIGHTS = {
    "source": "a file of yours, safetensors or a torch archive of tensors",
    "path": "environment variables are expanded",
    "format": "with the names of its authors' own code",
    "pretraining": "what these weights learned from, for tables",
    "lineage": "family of foundation models that they come from",
}


def _flow(value: Any) -> str:
    """YAML of a value on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf")
    )
    return text.removesuffix("...\n").strip()
