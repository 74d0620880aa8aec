"""A finished run on disk: ``model.safetensors`` (what was trained) and ``run.json`` (how to rebuild it)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from vfm_fusion.atomic import atomic_path, write_json
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import EXECUTION, TrainingConfig
from vfm_fusion.datasets.base import Category
from vfm_fusion.encoders.build import weights_digest
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.errors import WeightsError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.finer_maps import UsedUpsampler
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.task_classes import TaskClasses

MODEL_FILE = "model.safetensors"
RUN_FILE = "run.json"


def describe_run(
    *,
    name: str,
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    training: TrainingConfig,
    seed: int,
    categories: tuple[Category, ...],
    model: FusedSegmenter,
    upsamplers: Mapping[str, UsedUpsampler] | None = None,
) -> dict[str, Any]:
    """Returns the content of ``run.json``: settings, categories, identities of encoders and upsamplers.

    It holds no paths and no times, and of upsamplers only those that make some map.
    """
    description = {
        "run": name,
        "settings": run.model_dump(mode="json", exclude={"label"}),
        "strides": list(strides),
        "seed": seed,
        "training": training.model_dump(mode="json", exclude={"seeds", *EXECUTION}),
        "categories": [
            {"id": category.id, "name": category.name, "isthing": category.isthing} for category in categories
        ],
        "encoders": {
            encoder: {
                "architecture": encoders[encoder].architecture,
                "weights": weights_digest(encoders[encoder]),
                "pretraining": describe_pretraining(encoders[encoder]),
            }
            for encoder in (run.master, run.auxiliary)
            if encoder is not None
        },
        "parameters": model.count_parameters(),
    }
    if model.upsampling:
        description["upsamplers"] = {
            role: _upsampler_of(run, role, upsamplers or {}) for role in model.upsampling
        }
    return description


def _upsampler_of(run: RunConfig, role: str, upsamplers: Mapping[str, UsedUpsampler]) -> dict[str, Any]:
    name = run.upsampling.used[role]
    return {
        "name": name,
        "architecture": upsamplers[name].config.architecture,
        "weights": upsamplers[name].digest(getattr(run, role)),
    }


def save_run(folder: Path, model: FusedSegmenter, description: Mapping[str, Any]) -> None:
    """Writes ``model.safetensors`` and ``run.json``.

    Only parameters that training changed are saved; frozen encoders are rebuilt from their configuration.
    """
    trained = model.trained_names()
    tensors = {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if name in trained
    }
    with atomic_path(folder / MODEL_FILE) as temporary:
        temporary.write_bytes(save(tensors))
    write_json(folder / RUN_FILE, description)


def load_run(
    folder: Path,
    encoders: Mapping[str, EncoderConfig],
    upsamplers: Mapping[str, UsedUpsampler] | None = None,
) -> tuple[FusedSegmenter, dict[str, Any]]:
    """Rebuilds a trained model.

    Args:
        folder: holds ``model.safetensors`` and ``run.json``.
        encoders: encoders by name, as they were when the run was trained.
        upsamplers: upsamplers by name, likewise.

    Returns:
        The model in evaluation mode on the CPU, and the content of ``run.json``.

    Raises:
        WeightsError: a file is missing or damaged, does not fit the model, or the weights of an encoder or an
            upsampler are not those that the run was trained with.
    """
    path = folder / RUN_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: {error}; train the run again") from error
    _check_encoders(description, encoders)
    run = RunConfig.model_validate_json(json.dumps(description["settings"]))
    _check_upsamplers(description, run, upsamplers or {})
    training = TrainingConfig.model_validate_json(json.dumps(description["training"]))
    model = build_segmenter(
        run,
        encoders,
        description["strides"],
        training.head,
        len(TaskClasses.of_run(description)),
        description["seed"],
        upsamplers,
    )
    _load_trained(model, folder / MODEL_FILE)
    return model.eval(), description


def _check_encoders(description: Mapping[str, Any], encoders: Mapping[str, EncoderConfig]) -> None:
    for name, trained_with in description["encoders"].items():
        if name not in encoders:
            raise WeightsError(f"run {description['run']!r} needs encoder {name!r}; found {sorted(encoders)}")
        found = weights_digest(encoders[name])
        if found != trained_with["weights"]:
            raise WeightsError(
                f"run {description['run']!r} was trained with encoder {name!r} of weights "
                f"{trained_with['weights']}, the configuration gives {found}; train the run again"
            )


def _check_upsamplers(
    description: Mapping[str, Any], run: RunConfig, upsamplers: Mapping[str, UsedUpsampler]
) -> None:
    for role, trained_with in description.get("upsamplers", {}).items():
        name = trained_with["name"]
        if name not in upsamplers:
            raise WeightsError(
                f"run {description['run']!r} needs upsampler {name!r}; found {sorted(upsamplers)}"
            )
        found = _upsampler_of(run, role, upsamplers)
        if found != trained_with:
            raise WeightsError(
                f"run {description['run']!r} was trained with upsampler {trained_with}, the configuration "
                f"gives {found}; train the run again"
            )


def _load_trained(model: FusedSegmenter, path: Path) -> None:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: {error}; train the run again") from error
    expected = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    misfits = sorted(
        name
        for name in expected.keys() | tensors.keys()
        if name not in tensors or name not in expected or tensors[name].shape != expected[name].shape
    )
    if misfits:
        raise WeightsError(f"{path} does not fit the run's model: {misfits[:5]} ({len(misfits)} in all)")
    model.load_state_dict(tensors, strict=False)
