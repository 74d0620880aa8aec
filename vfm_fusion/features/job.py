"""The extraction that a job of the workflow stands for, from its plain parameters."""

from __future__ import annotations

import json
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.open import open_indexed
from vfm_fusion.features.extract import Extraction, extraction
from vfm_fusion.provenance import token


def configured_extraction(
    *,
    config: str,
    code: str,
    index: Path,
    generated: Path,
    dataset: str,
    encoder: str,
    manifest: Path,
    state: Path,
    threads: int,
) -> Extraction:
    """Prepares the extraction of a configured encoder.

    Args:
        config: JSON of the settings of the data set, the encoder and the features.
        code: fingerprint of the code.
        index: index of the split.
        generated: folder of the data set if it is a generated one.
        dataset: name of the data set.
        encoder: name of the encoder.
        manifest: ``<store>.manifest.json``.
        state: folder for the store under construction.
        threads: threads of the job.

    Raises:
        DatasetLayoutError: see :func:`vfm_fusion.datasets.open.open_indexed`.
        WeightsError: see :func:`vfm_fusion.encoders.build.build_encoder`.
    """
    settings = json.loads(config)
    return extraction(
        dataset=open_indexed(settings["dataset"], index, generated),
        dataset_name=dataset,
        encoder_name=encoder,
        encoder_config=EncoderConfig.model_validate_json(json.dumps(settings["encoder"])),
        settings=features_settings(settings["features"], threads),
        token=token(config, code, index),
        manifest_path=manifest,
        state_dir=state,
    )


def features_settings(settings: dict, threads: int) -> FeaturesConfig:
    """Validates the settings of the features of a job with so many threads."""
    return FeaturesConfig.model_validate_json(json.dumps({**settings, "threads": threads}))
