"""Builds the segmentation model of a run from its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import TrainingError
from vfm_fusion.fusion.operators import build_fusion
from vfm_fusion.segmentation.encoder_pyramid import PyramidProjection, derived_channels, projected_channels
from vfm_fusion.segmentation.head import MaskHead
from vfm_fusion.segmentation.model import FusedSegmenter


def build_segmenter(
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    head: HeadConfig,
    categories: int,
    seed: int,
) -> FusedSegmenter:
    """Builds a run's model: encoders with their weights, everything else initialised from ``seed``.

    Args:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name.
        strides: injection strides; none without an auxiliary.
        head: the mask head's settings.
        categories: number of classes.
        seed: seed of the initial weights of projection, fusion and head.

    Raises:
        TrainingError: the run names an encoder that is not configured, or has an auxiliary without a stride
            (or the reverse).
        ShapeError: the fusion operator cannot inject at these strides.
        WeightsError: an encoder's weights are missing or do not fit.
    """
    for role, name in (("master", run.master), ("auxiliary", run.auxiliary)):
        if name is not None and name not in encoders:
            raise TrainingError(
                f"{role} {name!r} is not among the encoders {sorted(encoders)}; "
                "resolve the roles before training"
            )
    if (run.auxiliary is None) != (not strides):
        raise TrainingError(
            f"the auxiliary is {run.auxiliary!r} but the injection strides are {list(strides)}"
        )
    master = build_encoder(encoders[run.master])
    auxiliary = None if run.auxiliary is None else build_encoder(encoders[run.auxiliary])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        channels = projected_channels(master.spec, head.pyramid_channels)
        fusion = None
        if auxiliary is not None:
            fusion = build_fusion(run.fusion, strides, channels, derived_channels(auxiliary.spec))
            channels = fusion.channels
        skip = frozenset() if fusion is None else fusion.replaced
        projection = PyramidProjection(master.spec, head.pyramid_channels, skip)
        mask_head = MaskHead(channels, categories, head)
    return FusedSegmenter(
        master,
        projection,
        mask_head,
        train_master=run.train_master,
        auxiliary=auxiliary,
        fusion=fusion,
        train_auxiliary=run.train_auxiliary,
        auxiliary_bfloat16=run.auxiliary_precision == "bfloat16",
    )
