"""Names of encoders in tables and figures, always beside how they were pretrained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vfm_fusion.errors import ReportingError
from vfm_fusion.selection.rule import role_scores

CHOICE_PARTS = {
    "master": "Master",
    "auxiliary": "Auxiliary",
    "pair": "Pair",
    "stride": "Stride",
    "pair_and_stride": "Pair and stride",
}
"""Part of the choice of a pair to its name in print."""

EncoderLabels = Mapping[str, Mapping[str, str]]
"""Encoder key to ``{"label": name in print, "pretraining": e.g. "untrained (seeded)"}``."""


def label(labels: EncoderLabels, encoder: str) -> str:
    """Returns the encoder's name in print.

    Raises:
        ReportingError: the encoder has no label.
    """
    return _look_up(labels, encoder)["label"]


def pretraining(labels: EncoderLabels, encoder: str) -> str:
    """Returns how the encoder was pretrained; see :func:`label` for the error."""
    return _look_up(labels, encoder)["pretraining"]


def full_label(labels: EncoderLabels, encoder: str) -> str:
    """Returns name and pretraining in one line, for legends and sentences.

    >>> full_label({"d": {"label": "DINO", "pretraining": "untrained"}}, "d")
    'DINO · untrained'
    """
    return f"{label(labels, encoder)} · {pretraining(labels, encoder)}"


def leading(selection: Mapping[str, Any]) -> str:
    """Says which scores chose master and auxiliary, and by which setting: it is not the task that runs learn.

    Args:
        selection: parsed ``selection.json`` or ``stability.json``.

    >>> leading({"task": "semantic"})
    'master by SC, auxiliary by EF (selection.task: semantic)'
    """
    lead, brought = role_scores(selection["task"])
    return f"master by {lead.upper()}, auxiliary by {brought.upper()} (selection.task: {selection['task']})"


def stride_reason(selection: Mapping[str, Any]) -> str:
    """Says what set the injection stride.

    Args:
        selection: parsed ``selection.json``.

    >>> stride_reason({"stride_by": "ef"})
    'peak EF'
    >>> stride_reason({"stride_by": "ef", "rule": {"name": "unlikeness", "title": "1 − CKA"}})
    'peak of 1 − CKA, selection.rule: unlikeness'
    """
    rule = selection.get("rule")
    if rule is None:
        return f"peak {selection['stride_by'].upper()}"
    return f"peak of {rule['title']}, selection.rule: {rule['name']}"


def mode(trainable: bool) -> str:
    """Returns the paper's short form: FT (fine-tuned) or FZ (frozen)."""
    return "FT" if trainable else "FZ"


def in_mode(part: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Names an encoder of a run and what is done with it: ``DINO mini FT``, ``DINO mini FZ upsampled by up``.

    Args:
        part: ``master`` or ``auxiliary`` of a parsed ``evaluation.json``.
        labels: names in print.
    """
    upsampler = part.get("upsampler")
    how = "" if upsampler is None else f" upsampled by {upsampler}"
    return f"{label(labels, part['encoder'])} {mode(part['trainable'])}{how}"


def run_encoders(evaluation: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Describes a run's encoders in one line: names, FT/FZ, pretraining, stride.

    Args:
        evaluation: one parsed ``evaluation.json``.
        labels: names in print.
    """
    master, auxiliary = evaluation["master"], evaluation["auxiliary"]
    text = f"{in_mode(master, labels)} · {master['pretraining']}"
    if auxiliary is not None:
        text += (
            f" + {in_mode(auxiliary, labels)} · {auxiliary['pretraining']}, "
            f"injected at OS {strides_of(evaluation)}"
        )
    return text


def run_models(evaluation: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Describes a run's encoders where space is short: names, FT/FZ, stride. See :func:`pretrainings`."""
    where = f" at OS {strides_of(evaluation)}" if evaluation["auxiliary"] is not None else ""
    return arrangement(evaluation, labels) + where


def arrangement(evaluation: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Names a run's encoders and what is trained: ``DINO mini FT + SAM mini FZ``."""
    return " + ".join(in_mode(part, labels) for part in _parts(evaluation))


def pretrainings(evaluations: Iterable[Mapping[str, Any]], labels: EncoderLabels) -> list[str]:
    """Names the pretraining of every encoder of some runs, once, in the order in which they occur."""
    parts = [part for evaluation in evaluations for part in _parts(evaluation)]
    return list(dict.fromkeys(f"{label(labels, part['encoder'])}: {part['pretraining']}" for part in parts))


def _parts(evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [evaluation[role] for role in ("master", "auxiliary") if evaluation[role] is not None]


def strides_of(evaluation: Mapping[str, Any]) -> str:
    """Returns a run's injection strides in print.

    >>> strides_of({"strides": [4, 16]})
    '4, 16'
    """
    return ", ".join(str(stride) for stride in evaluation["strides"])


def _look_up(labels: EncoderLabels, encoder: str) -> Mapping[str, str]:
    if encoder not in labels:
        raise ReportingError(f"encoder {encoder!r} has no label; there are labels for: {', '.join(labels)}")
    return labels[encoder]
