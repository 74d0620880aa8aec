"""Builds the segmentation model of a run from its configuration."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import TrainingError
from vfm_fusion.fusion.operators import build_fusion
from vfm_fusion.segmentation.encoder_pyramid import PyramidProjection, derived_channels, projected_channels
from vfm_fusion.segmentation.finer_maps import FinerMaps, UsedUpsampler
from vfm_fusion.segmentation.head import MaskHead
from vfm_fusion.segmentation.model import FusedSegmenter

log = logging.getLogger(__name__)


def build_segmenter(
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    head: HeadConfig,
    categories: int,
    seed: int,
    upsamplers: Mapping[str, UsedUpsampler] | None = None,
) -> FusedSegmenter:
    """Builds a run's model: encoders and upsamplers with their weights, all else initialised from ``seed``.

    Args:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name.
        strides: injection strides; none without an auxiliary.
        head: the mask head's settings.
        categories: number of classes.
        seed: seed of the initial weights of projection, fusion and head.
        upsamplers: upsamplers by name; left out where the run uses none.

    Raises:
        TrainingError: the run names an encoder or an upsampler that is not configured, or has an auxiliary
            without a stride (or the reverse).
        ShapeError: the fusion operator cannot inject at these strides.
        WeightsError: the weights of an encoder or an upsampler are missing or do not fit.
    """
    _check_resolved(run, encoders, strides, upsamplers or {})
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
        finer = {"master": _finer(run, "master", master, projection.strides, upsamplers)}
        if auxiliary is not None:
            finer["auxiliary"] = _finer(run, "auxiliary", auxiliary, fusion.strides, upsamplers)
    return FusedSegmenter(
        master,
        projection,
        mask_head,
        train_master=run.train_master,
        auxiliary=auxiliary,
        fusion=fusion,
        train_auxiliary=run.train_auxiliary,
        auxiliary_bfloat16=run.auxiliary_precision == "bfloat16",
        master_upsampling=finer["master"],
        auxiliary_upsampling=finer.get("auxiliary"),
    )


def _check_resolved(
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    upsamplers: Mapping[str, UsedUpsampler],
) -> None:
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
    for role, name in run.upsampling.used.items():
        if name not in upsamplers:
            raise TrainingError(
                f"{role}: its upsampler {name!r} is not among those given, {sorted(upsamplers)}"
            )


def _finer(
    run: RunConfig,
    role: str,
    encoder: Encoder,
    strides: Collection[int],
    upsamplers: Mapping[str, UsedUpsampler] | None,
) -> FinerMaps | None:
    """What upsamples an encoder's maps to those of ``strides`` that are finer than all of its own."""
    name = run.upsampling.used.get(role)
    if name is None:
        return None
    source = min(encoder.spec.strides)
    finer = [stride for stride in strides if stride < source]
    encoder_name = getattr(run, role)
    if not finer:
        log.warning(
            "upsampling.%s: %s upsamples nothing: %s has maps of its own at every stride that is read of it",
            *(role, name, encoder_name),
        )
        return None
    upsampler = upsamplers[name].build(encoder_name, encoder.spec.channels[source])
    return FinerMaps(upsampler, source, finer)
