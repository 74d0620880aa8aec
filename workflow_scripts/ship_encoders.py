"""Puts trained mini encoders, their model cards and the figure of their maps into resources/encoders/."""

import json
import shutil
from pathlib import Path

from vfm_fusion.atomic import atomic_path, file_sha256, write_json, write_text
from vfm_fusion.miniature.pretraining.card import render
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    target = Path(snakemake.params.target)
    target.mkdir(parents=True, exist_ok=True)
    shipped = {}
    for weights, card in zip(snakemake.input.weights, snakemake.input.cards, strict=True):
        facts = json.loads(Path(card).read_text(encoding="utf-8"))
        name, digest = facts["name"], file_sha256(Path(weights))
        with atomic_path(target / f"{name}.safetensors") as temporary:
            shutil.copyfile(weights, temporary)
        write_json(target / f"{name}.json", {**facts, "sha256": digest})
        write_text(target / f"{name}.md", render(facts, digest, Path(weights).stat().st_size))
        shipped[name] = digest
    with atomic_path(target / "pca_maps.png") as temporary:
        shutil.copyfile(snakemake.input.figure, temporary)
    write_json(Path(snakemake.output[0]), shipped)
