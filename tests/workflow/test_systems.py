"""An experiment of another system: no runs, no pair of encoders, a section and rules of its own."""

from __future__ import annotations

from working_copy import Workflow

SECTION = """
from pydantic import Field

from vfm_fusion.config.systems import SystemConfig
from vfm_fusion.errors import ConfigError


class ToyConfig(SystemConfig):
    \"\"\"A toy.\"\"\"

    encoder: str | None = Field(None, description="The encoder that it plays with, if any.")

    def check(self, config):
        if self.encoder is not None and self.encoder not in config.encoders:
            raise ConfigError(f"toy.encoder: {self.encoder!r} is not defined")

    def splits(self, config):
        return [(config.dataset, "train")]
"""
RULES = """
rule play:
    input:
        FILES.pattern("index", dataset=DATASET, split="train"),
        FILES.every("features", dataset=DATASET, encoder=filter(None, [CONFIG.toy.encoder])),
    output:
        f"{RESULTS}/toy/played.txt",
    shell:
        "touch {output}"


rule toy:
    input:
        rules.play.output,
"""
EXPERIMENT = """
paths: {results: results/quick}
datasets: {miniscapes: {kind: miniscapes, train: 8, val: 5, height: 64, width: 128}}
dataset: miniscapes
encoders:
  mini-dino: {architecture: mini_vit, weights: {source: seeded}}
toy: {encoder: mini-dino}
"""
ABOUT_PAIRS_AND_RUNS = {
    *("compare_pairs", "select_pair", "assess_stability", "text_selection", "table_stability"),
    *("train", "predict", "evaluate", "measure_cost", "table_main_results", "table_cost", "text_questions"),
    *("figure_qualitative", "figure_training_curves", "extract_finetuned"),
}
IMPORT = "from vfm_fusion.config.training import TrainingConfig\n"
FIELD = "    cost: CostConfig = Field("


def test_a_section_of_another_system_is_planned_without_runs_and_without_a_pair(fresh: Workflow) -> None:
    (fresh.folder / "vfm_fusion/config/toy.py").write_text(SECTION)
    (fresh.folder / "rules/toy.smk").write_text(RULES)
    schema = "vfm_fusion/config/schema.py"
    fresh.edit(schema, IMPORT, f"from vfm_fusion.config.toy import ToyConfig\n{IMPORT}")
    fresh.edit(schema, FIELD, f'    toy: ToyConfig | None = Field(None, description="A toy.")\n{FIELD}')
    experiment = fresh.folder / "experiments/toy.yaml"
    experiment.write_text(EXPERIMENT)
    fresh.config = {"experiment": "toy"}

    planned = fresh.planned()
    assert (planned["extract_features"], planned["profile_encoder"], planned["play"]) == (1, 1, 1)
    assert not ABOUT_PAIRS_AND_RUNS & planned.keys()
    assert {"table_profiles", "table_measures", "figure_profiles", "figure_sc_ef_plane"} <= planned.keys()

    fresh.config |= {"encoders": "{mini-dino: null}", "toy": "{encoder: null}"}
    assert fresh.planned() == {
        "resolved_config": 1,
        "generate_dataset": 1,
        "index_dataset": 1,
        "table_datasets": 1,
        "play": 1,
    }

    fresh.config["toy"] = "{encoder: mini-sam}"
    refused = fresh.snakemake("-n", "all")
    assert refused.returncode == 1
    assert "ConfigError: toy.encoder: 'mini-sam' is not defined" in refused.stdout + refused.stderr

    fresh.config["toy"] = "{encoder: null}"
    rules = fresh.folder / "rules/toy.smk"
    rules.unlink()
    refused = fresh.snakemake("-n", "all")
    assert refused.returncode == 1
    assert f"the experiment has a section 'toy', whose rules would be in {rules}" in (
        refused.stdout + refused.stderr
    )

    fresh.config = {"experiment": "quick"}
    assert not {"play", "toy"} & fresh.planned().keys()
