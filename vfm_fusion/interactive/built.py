"""Click models by their configuration: untrained ones, and finished trainings on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from vfm_fusion.config.base import Section
from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.interactive import Cell
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.errors import WeightsError
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.interactive.click_task import MODEL_FILE, RUN_FILE
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.upsampling.configured import configured_upsampler


class ClickParts(Section):
    """What a click model is made of.

    Attributes:
        cell: the names of its parts.
        encoder: the frozen encoder.
        upsampler: the frozen upsampler.
        trained_upsampler: file of its weights, where the workflow has trained them.
        clicks: the parts that are trained, and where they meet.
    """

    cell: Cell
    encoder: EncoderConfig
    upsampler: UpsamplerConfig
    trained_upsampler: str | None
    clicks: ClickModelConfig


def build_click_model(parts: ClickParts, seed: int) -> ClickModel:
    """Builds a click model: encoder and upsampler with their weights, the rest initialised from ``seed``.

    Raises:
        ConfigError: the encoder does not have what the click model asks for.
        WeightsError: weights are missing or do not fit.
    """
    encoder = build_encoder(parts.encoder)
    channels = Featurizer(encoder, parts.clicks).width
    trained = None if parts.trained_upsampler is None else Path(parts.trained_upsampler)
    upsampler = configured_upsampler(
        parts.cell.upsampler, parts.upsampler, parts.cell.encoder, channels, trained
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ClickModel(encoder, parts.clicks, upsampler)


def describe_clicks(
    parts: ClickParts, model: ClickModel, seed: int, recipe: dict[str, Any]
) -> dict[str, Any]:
    """Returns the content of ``run.json``: settings and identities of all parts; no paths, no times."""
    counts = {
        "encoder": model.featurizer.encoder,
        "upsampler": model.upsampler,
        "click_encoder": model.click_encoder,
        "head": model.head,
    }
    return {
        "encoder": {
            "name": parts.cell.encoder,
            "architecture": parts.encoder.architecture,
            "weights": weights_digest(parts.encoder),
            "pretraining": describe_pretraining(parts.encoder),
        },
        "upsampler": {
            "name": parts.cell.upsampler,
            **parts.upsampler.model_dump(mode="json", include={"architecture", "settings"}),
            "weights": _digest(model),
        },
        "clicks": {"name": parts.cell.clicks, "settings": parts.clicks.model_dump(mode="json")},
        "seed": seed,
        "training": recipe,
        "parameters": {
            name: sum(p.numel() for p in part.parameters()) if part is not None else 0
            for name, part in counts.items()
        },
    }


def load_clicks(folder: Path, parts: ClickParts) -> tuple[ClickModel, dict[str, Any]]:
    """Rebuilds a trained click model.

    Args:
        folder: holds ``model.safetensors`` and ``run.json``.
        parts: what it is made of, as it was when it was trained.

    Returns:
        The model in evaluation mode on the CPU, and the content of ``run.json``.

    Raises:
        WeightsError: a file is missing or damaged or does not fit, or encoder or upsampler are not those that
            it was trained with.
    """
    path = folder / RUN_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        seed = description["seed"]
        trained_with = {part: description[part] for part in ("encoder", "upsampler")}
        tensors = load_file(folder / MODEL_FILE)
    except KeyError as error:
        raise WeightsError(f"{path}: has no key {error}; train the click model again") from error
    except (OSError, ValueError, SafetensorError) as error:
        raise WeightsError(f"{folder}: {error}; train the click model again") from error
    model = build_click_model(parts, seed)
    found = {"encoder": weights_digest(parts.encoder), "upsampler": _digest(model)}
    for part, digest in found.items():
        if digest != trained_with[part]["weights"]:
            raise WeightsError(
                f"{path}: trained with {part} {trained_with[part]['name']!r} of weights "
                f"{trained_with[part]['weights']}, the configuration gives {digest}; train it again"
            )
    model.load_learned(tensors, str(folder / MODEL_FILE))
    return model.eval(), description


def _digest(model: ClickModel) -> str:
    """Identity of the upsampler's weights, whatever file they are from."""
    state = {name: value.contiguous() for name, value in model.upsampler.state_dict().items()}
    return hashlib.sha256(save(state)).hexdigest() if state else "none"
