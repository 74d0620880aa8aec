"""Repeats the selection on resampled and on fewer images, and with other seeds of the metric."""

import json
from pathlib import Path

import pandas as pd

from vfm_fusion.atomic import write_json
from vfm_fusion.profiles.settings_sweep import tables_of_seeds
from vfm_fusion.reporting.result_files import chosen_among
from vfm_fusion.selection.stability import assess_stability
from vfm_fusion.workflow.rule_log import rule_log

with rule_log(snakemake.log[0], snakemake.threads) as log:
    config = json.loads(snakemake.params.config)
    scores = {
        encoder: pd.read_parquet(path)
        for encoder, path in zip(config["encoders"], snakemake.input.scores, strict=True)
    }
    selection = json.loads(Path(snakemake.input.selection).read_text(encoding="utf-8"))
    sweeps = {
        encoder: pd.read_parquet(path)
        for encoder, path in zip(config["encoders"], snakemake.input.sweeps, strict=True)
    }
    among = chosen_among(selection)
    stability = assess_stability(
        {encoder: scores[encoder] for encoder in among},
        selection,
        draws=config["draws"],
        seed=config["seed"],
        tables_of_seeds=tables_of_seeds(
            {encoder: sweeps[encoder] for encoder in among},
            selection["definition"],
        ),
        metric_seed=config["metric_seed"],
        pairs=pd.read_parquet(snakemake.input.pairs) if snakemake.input.pairs else None,
    )
    for repetition in stability["repetitions"]:
        log.info("%s of %d images: %s", repetition["kind"], repetition["images"], repetition["agreement"])
    write_json(Path(snakemake.output.stability), stability)
