"""What the configuration of encoders allows, and what sentences and tables say of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.encoders.describe import (
    check_encoder,
    describe_pretraining,
    provenance_sentences,
    training_of,
)
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.errors import ConfigError


def encoder(architecture: str, weights: dict[str, Any], **more: Any) -> EncoderConfig:
    data = {"architecture": architecture, "weights": weights, **more}
    return TypeAdapter(EncoderConfig).validate_python(data)


def file(**more: str) -> dict[str, Any]:
    return {"source": "file", "path": "x.safetensors", **more}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (encoder("vit_huge", {"source": "seeded"}), r"encoders\.a\.architecture: 'vit_huge' is unknown"),
        (
            encoder("sam_vitb16", {"source": "seeded"}, resolution=1000),
            r"encoders\.a\.resolution: 1000 is no multiple of 16, which sam_vitb16 needs; choose 1008",
        ),
        (
            encoder("dinov2_vitb14", {"source": "seeded"}, resolution=512),
            r"512 is no multiple of 14, .* choose 518",
        ),
        (
            encoder("swin_b", file(format="official")),
            r"encoders\.a\.weights\.format: official checkpoints of swin_b are not read, only those of",
        ),
        (
            encoder("dinov3_vitb16", {"source": "seeded"}, positions="offset"),
            r"encoders\.a\.positions: dinov3_vitb16 has no position embedding that could be resized",
        ),
        (encoder("mini_vit", file()), r"encoders\.a\.weights\.pretraining: required"),
        (
            encoder("sam2_hiera_l", {"source": "hub"}),
            r"encoders\.a\.weights\.revision: no revision of timm/sam2",
        ),
        (encoder("mini_vit", {"source": "hub", "pretraining": "x"}), r"encoders\.a\.weights\.repository"),
        (
            encoder("dinov2_vitb14", {"source": "hub", "repository": "me/own"}),
            r"weights\.revision: no revision of me/own is pinned",
        ),
    ],
)
def test_impossible_settings_are_refused_by_key(config: EncoderConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_encoder("a", config)


@pytest.mark.parametrize(
    "text",
    [
        "{architecture: sam_vitb16, resolution: 1024, weights: {source: hub}}",
        "{architecture: dinov2_vitb14, resolution: 518, weights: {source: hub, revision: main}}",
        "{architecture: dinov3_vitl16, weights: {source: file, path: $HOME/x.pth, format: official}}",
        "{architecture: mini_vit, weights: {source: checkpoint, path: runs/a, pretraining: ours}}",
        "{architecture: swin_b, weights: {source: hub, revision: abc}}",
    ],
)
def test_possible_settings_pass(text: str) -> None:
    check_encoder("a", TypeAdapter(EncoderConfig).validate_python(yaml.safe_load(text)))


def test_what_is_left_out_is_what_the_registry_says() -> None:
    published = ARCHITECTURES["dinov3_vitb16"].published
    whole = training_of(encoder("dinov3_vitb16", {"source": "hub"}))
    assert (whole.pretraining, whole.supervision) == (published.pretraining, "self-supervised")
    own_words = training_of(encoder("dinov3_vitb16", file(pretraining="ImageNet labels, by us")))
    assert own_words.supervision is None
    assert own_words.lineage == "DINO"
    free = training_of(encoder("dinov3_vitb16", file(pretraining="by us", lineage="none")))
    assert free.lineage == "none"


def test_pretraining_is_named() -> None:
    assert describe_pretraining(encoder("mini_vit", {"source": "seeded", "seed": 4})) == "untrained (seed 4)"
    assert describe_pretraining(encoder("mini_vit", file(pretraining="scenes"))) == "scenes"
    assert describe_pretraining(encoder("sam_vitb16", {"source": "hub"})) == "SA-1B, promptable masks (SAM)"


def test_provenance_of_untrained_encoders() -> None:
    encoders = {
        "dino": encoder("dinov2_vitb14", {"source": "seeded"}, label="DINO, untrained"),
        "sam": encoder("sam_vitb16", {"source": "seeded"}),
    }
    assert provenance_sentences(encoders) == [
        "Untrained, with initial weights drawn from a seed: DINO, untrained, sam.",
        "No weights of the DINO or SAM families were used.",
    ]


def test_provenance_names_every_kind_of_training_and_the_two_families() -> None:
    encoders = {
        "d2": encoder("dinov2_vitb14", {"source": "hub"}, label="DINOv2-B"),
        "d3": encoder("dinov3_vitb16", {"source": "hub"}),
        "r2d2": encoder("r2d2_n16", file()),
        "sam": encoder("sam_vitb16", {"source": "hub"}),
        "swin": encoder("swin_b", {"source": "hub", "revision": "main"}),
        "clip": encoder("clip_vitb16", {"source": "hub"}),
        "tuned": encoder("mini_vit", {"source": "checkpoint", "path": "x", "pretraining": "ours"}),
        "odd": encoder("mini_vit", file(pretraining="who knows", lineage="dino")),
        "raw": encoder("mini_swin", {"source": "seeded"}),
    }
    assert provenance_sentences(encoders) == [
        "Self-supervised: DINOv2-B, d3, r2d2.",
        "Supervised: swin, tuned.",
        "Language-supervised: clip.",
        "Trained with promptable masks: sam.",
        "Trained, with a supervision that is not stated: odd.",
        "Untrained, with initial weights drawn from a seed: raw.",
        "Weights of the DINO family (DINOv2-B, d3, odd) and of the SAM family (sam) were used.",
    ]


def test_the_real_data_experiment_uses_neither_family() -> None:
    small = {name: encoder(name, file()) for name in ("mobilenetv2_100", "squeezenet1_0", "r2d2_n16")}
    assert provenance_sentences(small) == [
        "Self-supervised: r2d2_n16.",
        "Supervised: mobilenetv2_100, squeezenet1_0.",
        "No weights of the DINO or SAM families were used.",
    ]
