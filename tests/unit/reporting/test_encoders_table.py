"""The table of encoders."""

from __future__ import annotations

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.encoders.describe import encoder_facts, provenance_sentences
from vfm_fusion.features.manifest import Manifest
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.tables.encoders import encoders_table

ENCODERS = {
    "mini": EncoderConfig(architecture="mini_vit", weights={"source": "seeded", "seed": 3}),
    "cnn": EncoderConfig(
        label="SqueezeNet-1.0",
        architecture="squeezenet1_0",
        weights={"source": "file", "path": "x.safetensors"},
    ),
}


def manifest(encoder: str, shapes: dict[int, tuple[int, int, int]], weights: str) -> Manifest:
    return Manifest(
        dataset="photos",
        encoder=encoder,
        architecture=ENCODERS[encoder].architecture,
        pretraining="",
        weights=weights,
        token="t",
        precision="float32",
        dtype="float16",
        fit=None,
        image_size=(360, 480),
        input_size=(352, 480),
        images=1,
        shard_images=1,
        shapes=shapes,
        content="c",
    )


def test_every_encoder_with_its_training_and_sizes() -> None:
    manifests = {
        "mini": manifest("mini", {16: (128, 22, 30)}, "seed-3"),
        "cnn": manifest("cnn", {4: (256, 88, 120), 8: (512, 44, 60)}, "0123456789abcdef" * 4),
    }
    facts = {name: encoder_facts(name, config) for name, config in ENCODERS.items()}
    table = encoders_table(facts, manifests, provenance_sentences(ENCODERS))
    mini, cnn = table.data.to_dict("records")
    assert mini["encoder"] == "mini"
    assert mini["pretraining"] == "untrained (seed 3)"
    assert (mini["strides"], mini["channels"], mini["input"]) == ("16", "128", "352 x 480")
    assert mini["supervision"] == mini["licence"] == ""
    assert (cnn["encoder"], cnn["supervision"], cnn["licence"]) == ("SqueezeNet-1.0", "supervised", "BSD")
    assert cnn["weights"] == "0123456789ab"
    assert "360 x 480" in table.caption
    assert "No weights of the DINO or SAM families were used." in table.notes
    assert "SqueezeNet-1.0" in to_markdown(table)
