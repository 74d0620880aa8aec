"""`snakemake pretrain_mini`: small, but all of it."""

from __future__ import annotations

import json

import pytest
from working_copy import Workflow

from vfm_fusion.atomic import file_sha256

MODEL = "{{steps: 3, batch_size: 2, learning_rate: 0.001, architecture: {}, objective: {}}}"
MODELS = {
    "mini-dino": MODEL.format("mini_vit", "{kind: self_distillation, local_views: 1, prototypes: 16}"),
    "mini-sam": MODEL.format("mini_hiera", "{kind: promptable_masks, crop: 64, hidden_dim: 16}"),
    "mini-swin": MODEL.format("mini_swin", "{kind: multilabel, crop: 64}"),
}
SETTINGS = (
    "{scenes: {kind: miniscapes, train: 4, val: 2, height: 128, width: 256, seed: 5}, models: {"
    + ", ".join(f"{name}: {model}" for name, model in MODELS.items())
    + "}}"
)


@pytest.mark.slow("trains three encoders and profiles them")
def test_the_target_puts_weights_and_cards_where_experiments_look(fresh: Workflow) -> None:
    """It needs no weights itself, and what it makes is what the quick experiment then asks for."""
    folder = fresh.folder / "resources" / "encoders"
    for path in folder.glob("*"):
        path.unlink()
    refused = fresh.snakemake("select")
    assert refused.returncode == 1
    assert "no weight file at resources/encoders/mini-dino.safetensors" in refused.stdout + refused.stderr

    settings = dict(fresh.config)
    fresh.config["pretraining"] = SETTINGS
    done = fresh.snakemake("pretrain_mini")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for name in MODELS:
        card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        assert card["sha256"] == file_sha256(folder / f"{name}.safetensors")
        assert card["recipe"]["steps"] == 3
        assert (folder / f"{name}.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
    assert (folder / "pca_maps.png").stat().st_size > 1000

    fresh.config = settings
    selected = fresh.snakemake("select")
    assert selected.returncode == 0, selected.stdout[-3000:] + selected.stderr[-3000:]
