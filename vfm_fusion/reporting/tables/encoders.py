"""The encoders of a study: how they were trained, what they give, under which terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.datasets.fitting import describe_fit
from vfm_fusion.features.manifest import Manifest
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

_DIGEST = 12


def encoders_table(
    facts: Mapping[str, Mapping[str, Any]], manifests: Mapping[str, Manifest], provenance: Sequence[str]
) -> Table:
    """Builds the table of encoders.

    Args:
        facts: encoder to ``label``, ``pretraining``, ``supervision``, ``lineage`` and ``licence`` (text, null
            where there is none); their order is the order of the rows.
        manifests: encoder to the manifest of its features.
        provenance: sentences on how the encoders were trained.
    """
    rows = [_row(known, manifests[encoder]) for encoder, known in facts.items()]
    sizes = {_size(manifest.image_size, manifest.fit) for manifest in manifests.values()}
    return Table(
        name="encoders",
        caption="The encoders: pre-training, native output strides and channels, and the size in pixels at "
        f"which they see an image of {', '.join(sorted(sizes))}.",
        data=pd.DataFrame(rows),
        columns=(
            Column("encoder", "Encoder"),
            Column("pretraining", "Pre-training"),
            Column("strides", "Strides"),
            Column("channels", "Channels"),
            Column("input", "Sees"),
            Column("weights", "Weights"),
            Column("licence", "Licence"),
        ),
        sections=(Section("", [_shown(row) for row in rows], ranked=False),),
        notes=(*provenance, f"Weights: the first {_DIGEST} digits of the file's SHA-256."),
    )


def _row(known: Mapping[str, Any], manifest: Manifest) -> dict[str, str]:
    return {
        "encoder": known["label"],
        "architecture": manifest.architecture,
        "pretraining": known["pretraining"],
        "supervision": known["supervision"] or "",
        "lineage": known["lineage"] or "",
        "strides": ", ".join(map(str, manifest.shapes)),
        "channels": ", ".join(str(shape[0]) for shape in manifest.shapes.values()),
        "input": _size(manifest.input_size, manifest.fit),
        "weights": manifest.weights[:_DIGEST],
        "licence": known["licence"] or "",
    }


def _shown(row: Mapping[str, str]) -> Row:
    said = row["supervision"] in row["pretraining"]
    return row | {
        "encoder": Entry(row["encoder"], row["architecture"]),
        "pretraining": Entry(row["pretraining"], "" if said else row["supervision"]),
    }


def _size(size: tuple[int, int] | None, fit: ImageSize | None) -> str:
    if size is not None:
        return f"{size[0]} x {size[1]}"
    return "its own size" if fit is None else describe_fit(fit)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_encoders``."""
    facts = dict(settings["encoders"])
    manifests = zip(facts, inputs["manifests"], strict=True)
    return encoders_table(
        facts, {name: Manifest.read(path) for name, path in manifests}, settings["provenance"]
    )
