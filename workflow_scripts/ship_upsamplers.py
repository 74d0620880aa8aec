"""Puts trained upsamplers, in float16, and their model cards into resources/upsamplers/."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from vfm_fusion.atomic import atomic_path, file_sha256, write_json, write_text
from vfm_fusion.upsampling.pretraining.card import render
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads):
    target = Path(snakemake.params.target)
    target.mkdir(parents=True, exist_ok=True)
    shipped = {}
    for weights, card in zip(snakemake.input.weights, snakemake.input.cards, strict=True):
        facts = json.loads(Path(card).read_text(encoding="utf-8"))
        name = f"{facts['upsampler']}.{facts['encoder']}"
        path = target / f"{name}.safetensors"
        tensors = load_file(weights)
        halved = {key: t.astype(np.float16) if t.dtype == np.float32 else t for key, t in tensors.items()}
        with atomic_path(path) as temporary:
            temporary.write_bytes(save(halved))
        file = {"name": path.name, "sha256": file_sha256(path), "bytes": path.stat().st_size}
        write_json(target / f"{name}.json", {**facts, "file": file})
        write_text(target / f"{name}.md", render(facts, file))
        shipped[name] = file["sha256"]
    write_json(Path(snakemake.output[0]), shipped)
