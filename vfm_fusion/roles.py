"""From the roles of a run (`master`, `auxiliary`) to the encoders that were selected for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfm_fusion.config.training import ROLES, RunConfig
from vfm_fusion.errors import SelectionError


def resolve_run(run: RunConfig, selection: Mapping[str, Any]) -> tuple[RunConfig, int | None]:
    """Replaces roles by encoder names and ``selected`` by a stride.

    Args:
        run: the configured run.
        selection: the content of ``selection.json``.

    Returns:
        The run with encoder names, and its injection stride: None without an auxiliary, the configured one
        where it is a number, else the peak of the auxiliary's profile.

    Raises:
        SelectionError: master and auxiliary turn out to be the same encoder.
    """
    master = _encoder(run.master, selection)
    if run.auxiliary is None:
        return run.model_copy(update={"master": master}), None
    auxiliary = _encoder(run.auxiliary, selection)
    if master == auxiliary:
        raise SelectionError(
            f"run with master {run.master!r} and auxiliary {run.auxiliary!r}: both are {master}; "
            "name another encoder or use the roles"
        )
    stride = selection["peaks"][auxiliary] if run.fusion.stride == "selected" else run.fusion.stride
    return run.model_copy(update={"master": master, "auxiliary": auxiliary}), stride


def _encoder(name: str, selection: Mapping[str, Any]) -> str:
    return selection[name] if name in ROLES else name
