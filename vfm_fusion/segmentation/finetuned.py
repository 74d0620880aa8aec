"""The encoder that a run has fine-tuned, taken out of its checkpoint (paper, RQ5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.errors import WeightsError
from vfm_fusion.features.extract import Source
from vfm_fusion.segmentation.finer_maps import UsedUpsampler
from vfm_fusion.segmentation.trained import MODEL_FILE, load_run


def finetuned_encoder(
    folder: Path,
    encoders: Mapping[str, EncoderConfig],
    dataset_name: str,
    upsamplers: Mapping[str, UsedUpsampler] | None = None,
) -> tuple[Encoder, Source]:
    """Rebuilds the fine-tuned master of a finished run, as evaluation does.

    Args:
        folder: holds ``model.safetensors`` and ``run.json``.
        encoders: encoders by name, as they were when the run was trained.
        dataset_name: name of the data set whose features will be extracted.
        upsamplers: upsamplers by name, as the encoders.

    Returns:
        The encoder in evaluation mode on the CPU, with the very weights that training left, and what the
        manifest of its features says. The digest of the run's weights stands for its own.

    Raises:
        WeightsError: the run kept its master frozen, or its files are missing, damaged or of other encoder
            weights.
    """
    model, description = load_run(folder, encoders, upsamplers)
    name = description["settings"]["master"]
    if not model.train_master:
        raise WeightsError(
            f"{folder}: the run kept {name!r} frozen, so there is no fine-tuned encoder; "
            "its profile is that of the encoder itself"
        )
    config = encoders[name]
    source = Source(
        dataset=dataset_name,
        encoder=name,
        architecture=config.architecture,
        pretraining=f"{describe_pretraining(config)}, fine-tuned",
        weights=file_sha256(folder / MODEL_FILE),
    )
    return model.master, source
