"""From the roles of a run (`master`, `auxiliary`) to the encoders that were selected for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfm_fusion.config.runs import ROLES, RunConfig
from vfm_fusion.errors import SelectionError


def resolve_run(run: RunConfig, selection: Mapping[str, Any]) -> tuple[RunConfig, tuple[int, ...]]:
    """Replaces roles by encoder names and ``selected`` by a stride.

    Args:
        run: the configured run.
        selection: the content of ``selection.json``.

    Returns:
        The run with encoder names, and its injection strides, ascending: none without an auxiliary, else the
        configured ones, with what the selection says of the two for ``selected``: the peak of the auxiliary's
        profile, or the stride of another rule.

    Raises:
        SelectionError: master and auxiliary turn out to be the same encoder, or the rule has no stride for
            them.
    """
    master = _encoder(run.master, selection)
    if run.auxiliary is None:
        return run.model_copy(update={"master": master}), ()
    auxiliary = _encoder(run.auxiliary, selection)
    if master == auxiliary:
        raise SelectionError(
            f"run with master {run.master!r} and auxiliary {run.auxiliary!r}: both are {master}; "
            "name another encoder or use the roles"
        )
    strides = {
        _selected_stride(selection, master, auxiliary) if stride == "selected" else stride
        for stride in run.fusion.strides
    }
    return run.model_copy(update={"master": master, "auxiliary": auxiliary}), tuple(sorted(strides))


def _selected_stride(selection: Mapping[str, Any], master: str, auxiliary: str) -> int:
    rule = selection.get("rule")
    if rule is None:
        return selection["peaks"][auxiliary]
    stride = rule["strides"][master][auxiliary]
    if stride is None:
        raise SelectionError(
            f"selection.rule: {rule['name']}: {rule['title']} of {auxiliary} injected into {master} is "
            "undefined at every stride; name a stride (fusion.stride), or choose another rule"
        )
    return stride


def _encoder(name: str, selection: Mapping[str, Any]) -> str:
    return selection[name] if name in ROLES else name
