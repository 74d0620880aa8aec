"""``architecture: timm:NAME``: every family of timm, found out by itself, at non-square sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_zoo import seeded
from safetensors.torch import save_file

from vfm_fusion.config.base import canonical
from vfm_fusion.config.encoders import EncoderConfig, FileWeights, HubWeights
from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.encoders.build import build_encoder, build_token_encoder
from vfm_fusion.encoders.derived import derived_spec
from vfm_fusion.encoders.describe import check_encoder, encoder_facts
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.encoders.timm_models import timm
from vfm_fusion.encoders.tokens import TokenEncoder
from vfm_fusion.encoders.weight_files import weight_file
from vfm_fusion.encoders.weights import load_into
from vfm_fusion.errors import ConfigError, WeightsError

QUICK = {
    "byobnet": "test_byobnet",
    "convmixer": "convmixer_768_32",
    "convnext": "test_convnext",
    "densenet": "densenet121",
    "dla": "dla46_c",
    "efficientvim": "efficientvim_m1",
    "eva": "eva02_tiny_patch14_224",
    "levit": "levit_128s",
    "maxxvit": "test_coatnet",
    "mobilenetv3": "mobilenetv3_small_050",
    "resnet": "test_resnet",
    "swin_transformer": "swin_tiny_patch4_window7_224",
    "vision_transformer": "test_vit",
    "vision_transformer_hybrid": "vit_tiny_r_s16_p8_224",
    "vision_transformer_relpos": "test_vit_relpos",
}
"""Small models of every kind that the probe tells apart."""

SLOW = {
    "beit": "beit_base_patch16_224",
    "byoanet": "halonet_h1",
    "cait": "cait_xxs24_224",
    "coat": "coat_tiny",
    "convit": "convit_tiny",
    "cpubone": "cpubone_nano",
    "csatv2": "csatv2",
    "cspnet": "cs3darknet_m",
    "cspnext": "cspnext_tiny",
    "davit": "davit_tiny",
    "deit": "deit_tiny_distilled_patch16_224",
    "dpn": "dpn48b",
    "edgenext": "edgenext_xx_small",
    "efficientformer": "efficientformer_l1",
    "efficientformer_v2": "efficientformerv2_s0",
    "efficientnet": "mnasnet_small",
    "efficientvit_mit": "efficientvit_b0",
    "efficientvit_msra": "efficientvit_m0",
    "fasternet": "fasternet_t0",
    "fastvit": "fastvit_t8",
    "focalnet": "focalnet_tiny_srf",
    "gcvit": "gcvit_xxtiny",
    "ghostnet": "ghostnet_050",
    "hardcorenas": "hardcorenas_b",
    "hgnet": "hgnetv2_b0",
    "hiera": "hiera_tiny_224",
    "hieradet_sam2": "sam2_hiera_tiny",
    "hrnet": "hrnet_w18_small",
    "iformer": "iformer_t",
    "inception_next": "inception_next_atto",
    "lcnetv2": "lcnetv2_small",
    "lowformer": "lowformer_b0",
    "mambaout": "test_mambaout",
    "metaformer": "caformer_s18",
    "mlp_mixer": "gmlp_ti16_224",
    "mobilenetv5": "mobilenetv5_base",
    "mobilevit": "mobilevit_xxs",
    "mvitv2": "mvitv2_tiny",
    "naflexvit": "naflexvit_base_patch16_gap",
    "nest": "nest_tiny_jx",
    "nextvit": "nextvit_small",
    "nfnet": "test_nfnet",
    "pvt_v2": "pvt_v2_b0",
    "qwen3_vit": "qwen3_vit_88m",
    "rdnet": "rdnet_tiny",
    "regnet": "regnetx_002",
    "repghost": "repghostnet_050",
    "repvit": "repvit_m1",
    "res2net": "res2next50",
    "resnest": "resnest14d",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100",
    "selecsls": "selecsls42",
    "senet": "legacy_seresnet18",
    "shvit": "shvit_s1",
    "sknet": "skresnet18",
    "starnet": "starnet_s050",
    "swiftformer": "swiftformer_xs",
    "swin_transformer_v2": "swinv2_tiny_window16_256",
    "swin_transformer_v2_cr": "swinv2_cr_tiny_224",
    "tiny_vit": "tiny_vit_5m_224",
    "tnt": "tnt_s_legacy_patch16_224",
    "tresnet": "tresnet_m",
    "twins": "twins_svt_small",
    "vgg": "vgg11",
    "visformer": "visformer_tiny",
    "vision_transformer_sam": "samvit_base_patch16_224",
    "vitamin": "vitamin_small_224",
    "volo": "volo_d1_224",
    "vovnet": "ese_vovnet19b_slim",
    "xception_aligned": "xception41p",
    "xcit": "xcit_nano_12_p8_224",
}
"""The smallest model of every other family that has maps on the grids of the strides."""

REFUSED = {
    "crossvit": "crossvit_tiny_240",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_v3": "inception_v3",
    "inception_v4": "inception_v4",
    "nasnet": "nasnetalarge",
    "pit": "pit_ti_224",
    "pnasnet": "pnasnet5large",
    "sequencer": "sequencer2d_s",
    "xception": "legacy_xception",
}
"""Families whose maps lie on other grids: no padding, patches that overlap unevenly, strides of 7 and 14."""

ALL_FAMILIES = pytest.mark.slow("all of timm's families together")
TOO_BIG = {"deepseek_vit": "deepseek_vit_412m", "gemma4_vit": "gemma4_vit_167m"}
"""Families without a small model, which are found out and not run."""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        derived_spec.cache_clear()
        yield folder
    derived_spec.cache_clear()


def test_every_family_of_timm_is_in_one_of_the_tables() -> None:
    assert {*QUICK, *SLOW, *REFUSED, *TOO_BIG} == set(timm.list_modules())


@pytest.mark.parametrize(
    "name",
    [
        *QUICK.values(),
        *(
            pytest.param(name, marks=pytest.mark.slow("all of timm's families together"))
            for name in SLOW.values()
        ),
    ],
)
def test_a_family_is_found_out_and_gives_its_models_own_maps(name: str) -> None:
    """The maps that are declared, those of the whole model, with all of the whole model's weights."""
    spec = spec_of(f"timm:{name}")
    encoder = build_encoder(seeded(spec.architecture))
    check_encoder("a", seeded(spec.architecture))
    whole = timm.create_model(name, num_classes=10, **spec.options).eval()
    load_into(encoder, whole.state_dict(), name)
    size = fit_size(96, 160, spec.size_divisor)
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps, seen = encoder(images), encoder.normalise(images)
        norm = {"norm": len(spec.strides) == 1}
        own = whole.forward_intermediates(seen, output_fmt="NCHW", intermediates_only=True, **norm)
    assert tuple(maps) == spec.strides
    for stride, feature in maps.items():
        assert feature.shape == (2, spec.channels[stride], size[0] // stride, size[1] // stride)
        assert torch.isfinite(feature).all()
        assert feature.std() > 0
        last = [m for m in own if m.shape[2] == seen.shape[2] // spec.cell(stride)][-1]
        torch.testing.assert_close(feature, encoder._on_grid(last, stride, size), rtol=1e-4, atol=1e-5)
    assert isinstance(encoder, TokenEncoder) == spec.shows_tokens


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("convnext_tiny.fb_in1k", ("hierarchical", (4, 8, 16, 32), 32, None, None)),
        ("resnet50", ("hierarchical", (4, 8, 16, 32), 32, None, None)),
        ("xception41p", ("hierarchical", (4, 8, 16, 32), 32, None, None)),
        ("maxvit_tiny_tf_224.in1k", ("hierarchical", (4, 8, 16, 32), 224, None, None)),
        ("coat_tiny", ("hierarchical", (4, 8, 16, 32), 32, None, 224)),
        ("cait_xxs24_224", ("hierarchical", (16,), 16, 16, 224)),
        ("convmixer_768_32", ("hierarchical", (8,), 8, 7, None)),
        ("vit_base_patch8_224.dino", ("vit", (8,), 8, 8, None)),
        ("vit_base_patch32_clip_224.openai", ("vit", (32,), 32, 32, None)),
        ("vit_small_patch14_dinov2.lvd142m", ("vit", (16,), 16, 14, None)),
        ("vit_small_patch16_rope_mixed_224", ("hierarchical", (16,), 16, 16, None)),
        ("samvit_base_patch16.sa1b", ("sam", (16,), 16, 16, None)),
        *((name, ("hierarchical", (16,), 16, 14, None)) for name in [TOO_BIG["deepseek_vit"]]),
    ],
)
def test_what_is_found_out(name: str, facts: tuple[object, ...]) -> None:
    spec = spec_of(f"timm:{name}")
    found = (spec.family, spec.strides, spec.size_divisor, spec.patch_size, spec.input_side)
    assert found == facts


@pytest.mark.slow("a model that is built in full, since it needs numbers")
def test_a_model_that_wants_numbers_is_found_out_too() -> None:
    assert spec_of(f"timm:{TOO_BIG['gemma4_vit']}").channels == {16: 768}


@pytest.mark.parametrize("name", REFUSED.values())
def test_families_of_other_grids_are_refused_with_their_sizes(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^encoders\.a\.architecture: timm:{name} .* write a class of your"
    ):
        check_encoder("a", seeded(f"timm:{name}"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:convnext_tinyy", r"has no model 'convnext_tinyy'; did you mean: convnext_tiny"),
        (
            "timm:convnext_tiny.in3k",
            r"no weights 'in3k' of convnext_tiny; choose from: convnext_tiny\.dinov3",
        ),
        ("timm:", r"has no model ''"),
        ("convnext_tiny", r"'convnext_tiny' is unknown; .* or timm:NAME for any other model of timm"),
        ("dinov2_vit_s14", r"did you mean 'dinov2_vits14'\?"),
    ],
)
def test_a_name_that_there_is_not_is_answered_with_those_near_it(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^encoders\.a\.architecture: .*{message}"):
        check_encoder("a", seeded(name))


def test_a_model_of_one_size_takes_no_other_resolution() -> None:
    architecture = f"timm:{QUICK['maxxvit']}"
    assert build_encoder(seeded(architecture)).resolution == 160
    check_encoder("a", seeded(architecture, resolution=160))
    with pytest.raises(
        ConfigError, match=r"a\.resolution: timm:test_coatnet only takes squares of 160 pixels"
    ):
        check_encoder("a", seeded(architecture, resolution=192))


@pytest.mark.parametrize(
    "name",
    [
        QUICK["vision_transformer"],
        QUICK["eva"],
        QUICK["vision_transformer_hybrid"],
        "deit_tiny_distilled_patch16_224",
    ],
)
def test_plain_vits_show_their_tokens(name: str) -> None:
    encoder = build_token_encoder(seeded(f"timm:{name}"))
    state = encoder.start(torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    layer = encoder.layers[0]
    queries, keys, values = encoder.heads(state, 0, rotated=True)
    mixed = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
    found = layer.attn.proj(layer.attn.norm(mixed.transpose(1, 2).flatten(2)))
    own = layer.attn(layer.norm1(state.tokens), **({} if state.rotary is None else {"rope": state.rotary}))
    torch.testing.assert_close(found, own)


def test_normalisation_positions_and_origin_are_timms() -> None:
    half = spec_of("timm:vit_base_patch16_siglip_512.v2_webli")
    assert (half.mean, half.std, half.positions) == ((0.5,) * 3, (0.5,) * 3, "antialiased")
    dino = spec_of("timm:vit_base_patch16_224.dino")
    assert (dino.positions, dino.published.lineage) == ("offset", "DINO")
    assert spec_of("timm:vit_base_patch16_224.sam_in1k").published.lineage is None  # the optimiser, no mask
    assert spec_of("timm:sam2_hiera_tiny.fb_r896").published.lineage == "SAM"
    assert spec_of("timm:vit_small_patch14_reg4_dinov2").positions == "antialiased"


def test_weights_of_a_tag_are_looked_for_where_timm_says(tmp_path: Path) -> None:
    hub = HubWeights(source="hub", revision="abc")
    named = EncoderConfig(architecture="timm:convnext_tiny.fb_in1k", weights=hub)
    with pytest.raises(WeightsError, match=r"timm/convnext_tiny\.fb_in1k at revision abc"):
        weight_file("a", named)
    assert encoder_facts("a", named) == {
        "label": "a",
        "pretraining": "timm's fb_in1k",
        "supervision": None,
        "lineage": None,
        "licence": "apache-2.0",
    }
    unpinned = EncoderConfig(architecture="timm:convnext_tiny.fb_in1k", weights=HubWeights(source="hub"))
    with pytest.raises(
        ConfigError, match=r"a\.weights\.revision: no revision of timm/convnext_tiny\.fb_in1k"
    ):
        check_encoder("a", unpinned)
    with pytest.raises(ConfigError, match=r"repository: no hub repository .* timm:NAME\.TAG"):
        check_encoder("a", EncoderConfig(architecture="timm:convnext_tiny", weights=hub))
    own = FileWeights(source="file", path="x.pt")
    with pytest.raises(ConfigError, match=r"pretraining: required, since no published weights of timm:conv"):
        check_encoder("a", EncoderConfig(architecture="timm:convnext_tiny", weights=own))


def test_a_file_in_timms_names_is_read_whole_or_by_its_key(tmp_path: Path) -> None:
    whole = timm.create_model("test_convnext", num_classes=7)
    save_file(whole.state_dict(), tmp_path / "plain.safetensors")
    nested = {f"backbone.{key}": value for key, value in whole.state_dict().items()}
    torch.save({"teacher": nested}, tmp_path / "nested.pt")
    for path, key in (("plain.safetensors", None), ("nested.pt", "teacher.backbone")):
        weights = FileWeights(source="file", path=str(tmp_path / path), key=key, pretraining="mine")
        encoder = build_encoder(EncoderConfig(architecture="timm:test_convnext", weights=weights))
        own = encoder.model.state_dict()
        assert all(torch.equal(own[name], whole.state_dict()[name]) for name in own)


def test_what_was_found_out_is_kept_and_needs_neither_torch_nor_timm_again(cache: Path) -> None:
    """Planning reads it at every start of the workflow and of each of its jobs."""
    first = spec_of("timm:test_resnet")
    (kept,) = (cache / "vfm_fusion" / "timm").glob("test_resnet-*.json")
    program = (
        "import sys; from vfm_fusion.encoders.registry import spec_of\n"
        "print(repr(spec_of('timm:test_resnet'))); assert not {'torch', 'timm'} & sys.modules.keys()"
    )
    again = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True, check=True
    )
    assert again.stdout.strip() == repr(first)
    kept.write_text("{", encoding="utf-8")  # as a full disk leaves it
    derived_spec.cache_clear()
    assert spec_of("timm:test_resnet") == first
    assert len(kept.read_text(encoding="utf-8")) > 100


def test_features_depend_on_what_was_found_out() -> None:
    """The settings of a stage are one JSON string; another divisor or another map is another string."""
    spec = spec_of("timm:test_convnext")
    again = canonical(replace(spec, published=None).facts())
    assert canonical(spec.facts()) == again
    for other in ({"size_divisor": 64}, {"levels": {4: 0, 8: 1, 16: 2, 32: 2}}, {"input_side": 160}):
        assert canonical(replace(spec, **other).facts()) != again


def test_a_home_that_cannot_be_written_to_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    derived_spec.cache_clear()
    assert spec_of("timm:test_resnet").size_divisor == 32
