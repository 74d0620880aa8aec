"""`snakemake pretrain_mini` and `pretrain_upsamplers`: small, but all of it."""

from __future__ import annotations

import json

import pytest
from working_copy import Workflow

from vfm_fusion.atomic import file_sha256
from vfm_fusion.upsampling.build import build_upsampler

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
@pytest.mark.timeout(1800)
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


UPSAMPLER = (
    "{lift-a: {architecture: lift, weights: {source: trained, dataset: miniscapes, "
    "shipped_for: [mini-dino], recipe: {steps: 2, side: 64, batch_size: 2}}}}"
)


def test_upsamplers_are_trained_measured_and_shipped_for_an_encoder(fresh: Workflow) -> None:
    refused = fresh.snakemake("-n", "pretrain_upsamplers")
    assert refused.returncode == 1
    assert "no upsampler of this experiment is `shipped_for` an encoder" in refused.stdout + refused.stderr

    fresh.config["upsamplers"] = UPSAMPLER
    done = fresh.snakemake("pretrain_upsamplers")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = fresh.folder / "resources" / "upsamplers"
    path = folder / "lift-a.mini-dino.safetensors"
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["file"]["sha256"] == file_sha256(path)
    assert (card["data"]["images"], card["data"]["held_out"]) == (7, 1)
    assert card["measured"].keys() == {"untrained", "trained", "bilinear"}
    assert path.with_suffix(".md").read_text(encoding="utf-8").startswith("# LiFT for mini-dino\n")
    assert not build_upsampler("lift", 128, path).training
