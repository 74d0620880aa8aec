"""Maps that an encoder lacks, made by a frozen upsampler: closed forms, what trains, what is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from segmentation_toys import ToyDataset
from torch import Tensor

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig, ResizeConfig, segmented_size
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.errors import TrainingError, WeightsError
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.evaluation.predict import predict_run
from vfm_fusion.features.extract import extraction
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.cost import CostedModel, measure_turn
from vfm_fusion.segmentation.finer_maps import UsedUpsampler
from vfm_fusion.segmentation.job import train_run
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.trained import load_run
from vfm_fusion.training.views import Views
from vfm_fusion.upsampling.build import build_upsampler, count_parameters

SIZE = (64, 96)


def images() -> Tensor:
    return torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def used(architecture: str) -> UsedUpsampler:
    return UsedUpsampler(name=architecture, config=UpsamplerConfig(architecture=architecture))


@pytest.fixture
def learned(tmp_path: Path) -> UsedUpsampler:
    """LiFT with random weights in a file, as if it had been trained; it has batch norms."""
    torch.manual_seed(1)
    path = tmp_path / "lift-vit.safetensors"
    save_file(build_upsampler("lift", channels=128).state_dict(), path)
    weights = {"source": "file", "path": str(tmp_path / "lift-{encoder}.safetensors")}
    config = UpsamplerConfig.model_validate({"architecture": "lift", "weights": weights})
    return UsedUpsampler(name="lift", config=config)


@pytest.fixture
def build(encoders: dict[str, EncoderConfig], head_config: HeadConfig):
    """Builds a run whose role's maps are upsampled; by nearest neighbour without an upsampler."""

    def build(
        upsampler: UsedUpsampler | None, role: str, strides: tuple[int, ...] = (), **run: object
    ) -> FusedSegmenter:
        upsampling = {} if upsampler is None else {"upsampling": {role: "up"}}
        config = RunConfig.model_validate(run | upsampling)
        return build_segmenter(config, encoders, strides, head_config, 4, 0, upsampler and {"up": upsampler})

    return build


AUXILIARY = {"role": "auxiliary", "strides": (4, 8, 16), "master": "hiera", "auxiliary": "vit"}
MASTER = {"role": "master", "master": "vit"}


@pytest.mark.parametrize("run", [AUXILIARY, MASTER], ids=["auxiliary", "master"])
def test_nearest_upsampling_is_what_is_done_without_upsampler(build, run: dict) -> None:
    """Of the auxiliary to the bit; the master's maps are projected after they grow, not before."""
    found, expected = (build(up, **run).eval().pyramid(images()) for up in (used("nearest"), None))
    exact = run is AUXILIARY
    for stride, feature in expected.items():
        assert torch.allclose(found[stride], feature, rtol=0, atol=0 if exact else 1e-5), stride


def test_an_auxiliary_is_upsampled_from_its_own_map_and_then_aligned(build) -> None:
    model = build(used("bilinear"), **AUXILIARY).eval()
    pyramid, native = model.pyramid(images()), model.auxiliary(images())[16]
    for stride in (4, 8):
        size = (SIZE[0] // stride, SIZE[1] // stride)
        expected = F.interpolate(native, size, mode="bilinear", align_corners=True)
        assert torch.equal(pyramid[stride], model.fusion.align[str(stride)](expected))
    assert torch.equal(pyramid[16], model.fusion.align["16"](native))
    assert torch.equal(pyramid[32], model.master(images())[32])


def test_a_master_is_upsampled_and_then_projected(build) -> None:
    model = build(used("bicubic"), **MASTER).eval()
    pyramid, native = model.pyramid(images()), model.master(images())[16]
    expected = F.interpolate(native, (16, 24), mode="bicubic", align_corners=False)
    assert torch.equal(pyramid[4], model.projection.projections["4"](expected))
    assert torch.equal(pyramid[32], model.projection.projections["32"](native[..., 1::2, 1::2]))


def test_only_what_is_read_is_upsampled(build) -> None:
    model = build(used("bilinear"), "master", (4,), master="vit", auxiliary="hiera")
    assert model.master_upsampling.strides == (8,)
    assert model.auxiliary_upsampling is None


def test_an_upsampler_stays_as_it_is_and_a_master_learns_through_it(build, learned: UsedUpsampler) -> None:
    model = build(learned, **MASTER).train()
    before = {name: value.clone() for name, value in model.master_upsampling.state_dict().items()}
    assert not any(module.training for module in model.master_upsampling.modules())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.pyramid(images())[4].square().mean().backward()  # of the upsampled map alone
    optimizer.step()
    assert all(p.grad.abs().sum() > 0 for n, p in model.master.named_parameters() if "patch_embed" in n)
    assert all(p.grad is None for p in model.master_upsampling.parameters())
    after = model.master_upsampling.state_dict()
    assert any("running_mean" in name for name in after)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_an_upsampler_computes_in_its_own_precision(build, learned: UsedUpsampler) -> None:
    model = build(learned, **MASTER).eval()
    native = {16: torch.rand(1, 128, 4, 6)}
    expected = model.master_upsampling(native, images()[:1], SIZE)[4]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.master_upsampling(native, images()[:1], SIZE)[4], expected)


def test_parameters_of_upsamplers_count_and_are_not_saved(build, learned: UsedUpsampler) -> None:
    plain, model = build(None, **MASTER), build(learned, **MASTER)
    more = sum(p.numel() for p in model.master_upsampling.parameters())
    counts = [m.count_parameters() for m in (plain, model)]
    assert counts[1]["total"] - counts[0]["total"] == more > 0
    assert counts[1]["trainable"] == counts[0]["trainable"]
    assert model.trained_names() == plain.trained_names()
    same = plain.state_dict()
    assert all(torch.equal(v, same[k]) for k, v in model.state_dict().items() if k in same)


def test_an_encoder_that_lacks_no_stride_is_left_alone(build, caplog: pytest.LogCaptureFixture) -> None:
    assert build(used("bilinear"), "master", master="hiera").upsampling == {}
    assert "up upsamples nothing: hiera has maps of its own at every stride" in caplog.text


def test_an_upsampler_that_is_not_given_is_refused(encoders, head_config: HeadConfig) -> None:
    run = RunConfig.model_validate({"master": "vit", "upsampling": {"master": "lift"}})
    with pytest.raises(TrainingError, match="upsampler 'lift' is not among those given"):
        build_segmenter(run, encoders, (), head_config, 4, 0)


def test_weights_that_the_workflow_trains_have_to_be_there(build, tmp_path: Path) -> None:
    trained = {"source": "trained", "dataset": "x", "recipe": {"steps": 1}}
    config = UpsamplerConfig.model_validate({"architecture": "lift", "weights": trained})
    with pytest.raises(WeightsError, match="no weights of LiFT"):
        build(UsedUpsampler(name="lift", config=config, trained={"vit": str(tmp_path / "gone")}), **MASTER)
    untrained = UsedUpsampler(name="lift", config=config, untrained=True)
    assert build(untrained, **MASTER).upsampling.keys() == {"master"}


def test_the_cost_of_an_upsampler_is_measured_untrained(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    """LiFT's, as a part of the model; whatever weights it has, and whatever it is called."""

    def costed(name: str, **weights: object) -> CostedModel:
        described = {
            "architecture": "lift",
            "label": name,
            "weights": {"source": "file", "path": "x"} | weights,
        }
        upsampler = UsedUpsampler(name=name, config=UpsamplerConfig.model_validate(described), untrained=True)
        run = RunConfig.model_validate({"master": "vit", "upsampling": {"master": name}})
        return CostedModel(run, encoders, (), recipe, 4, {name: upsampler})

    found = measure_turn(costed("a"), CostConfig(repeats=1), 1, counts=True)
    assert found["parameters"]["master_upsampling"] == count_parameters("lift", 128)
    assert found["flops"]["master_upsampling"] > 0
    assert costed("a").identity == costed("b", path="y").identity
    assert costed("a").identity != CostedModel(RunConfig(master="vit"), encoders, (), recipe, 4).identity


class Toys(ToyDataset):
    """Two toys that can be scored."""

    protocol = "cityscapes"

    def __init__(self) -> None:
        super().__init__(images=2)

    def ignored(self, index: int, semantic: np.ndarray) -> np.ndarray:
        return semantic == 255


SMALLER = ResizeConfig(short_side=48, max_side=96)


@pytest.fixture
def recipe(recipe: TrainingConfig) -> TrainingConfig:
    return recipe.model_copy(update={"cached_views": 2, "batch_size": 1, "steps": 2})


@pytest.fixture
def stored(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    """Stores what the encoders make of the views that runs learn from, and of the images they segment."""
    views = Views(Toys(), recipe.augmentation, recipe.cached_views)
    found = []
    for dataset, settings in ((views, {}), (Toys(), {"image_size": segmented_size(SMALLER)})):
        folder = tmp_path / f"maps {len(found)}"
        found.append({encoder: folder / f"{encoder}.zarr.manifest.json" for encoder in encoders})
        for encoder, manifest in found[-1].items():
            extraction(
                dataset=dataset,
                dataset_name="toys",
                encoder_name=encoder,
                encoder_config=encoders[encoder],
                settings=FeaturesConfig(dtype="float32", batch_size=1, **settings),
                token="t",
                manifest_path=manifest,
                state_dir=folder / "state" / encoder,
            ).run()
    return found


@pytest.fixture
def trained(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    """Trains a run on fixed views, by their pixels or by stored maps, and predicts likewise."""

    def run(name: str, upsampler: UsedUpsampler, maps: object = (None, None), **settings: object) -> Path:
        folder = tmp_path / name / "run" / "seed0"
        shared = {"dataset": Toys(), "encoders": encoders, "upsamplers": {"up": upsampler}}
        train_run(
            run=RunConfig.model_validate(settings | {"upsampling": {"master": "up"}}),
            strides=(16,) if "auxiliary" in settings else (),
            training=recipe,
            seed=0,
            out_dir=folder,
            state_dir=tmp_path / name / "state",
            token="t",
            maps=maps[0],
            **shared,
        )
        predict_run(
            run_dir=folder,
            predictions=folder / "predictions.h5",
            inference=EvaluationConfig(resize=SMALLER),
            maps=maps[1],
            **shared,
        )
        return folder

    return run


@pytest.mark.parametrize("architecture", ["jbu_classic", "bilinear"])
def test_stored_maps_give_the_bits_of_running_encoders(
    trained, stored, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    """A guided upsampler reads the pixels beside the maps; another one reads none."""
    settings = {"master": "vit", "train_master": False, "auxiliary": "hiera"}
    expected = trained("pixels", used(architecture), **settings)

    def refuse(self: object, *_: object) -> None:
        raise AssertionError(f"{self} was run")

    monkeypatch.setattr(Encoder, "forward", refuse)
    if architecture == "bilinear":
        for reading in ("image", "__getitem__"):
            monkeypatch.setattr(Views, reading, refuse)
        monkeypatch.setattr(Toys, "image", refuse)
    found = trained("maps", used(architecture), stored, **settings)
    for name in ("model.safetensors", "metrics.csv", "run.json", "predictions.h5"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


def test_a_run_says_by_what_it_was_upsampled_and_keeps_to_it(
    trained, encoders: dict[str, EncoderConfig], learned: UsedUpsampler, tmp_path: Path
) -> None:
    folder = trained("tuned", learned, master="vit")
    description = json.loads((folder / "run.json").read_text())
    assert description["settings"]["upsampling"] == {"auxiliary": None, "master": "up"}
    digest = description["upsamplers"]["master"].pop("weights")
    assert digest == file_sha256(tmp_path / "lift-vit.safetensors")
    assert description["upsamplers"] == {"master": {"name": "up", "architecture": "lift"}}
    result = evaluate_run(predictions=folder / "predictions.h5", dataset=Toys(), dataset_name="toys")
    assert (result["master"]["encoder"], result["master"]["upsampler"]) == ("vit", "up")

    rebuilt, _ = load_run(folder, encoders, {"up": learned})
    weights = load_file(tmp_path / "lift-vit.safetensors")
    found = rebuilt.master_upsampling.upsampler.state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items())
    with pytest.raises(WeightsError, match=r"needs upsampler 'up'; found \[\]"):
        load_run(folder, encoders)
    torch.manual_seed(2)
    save_file(build_upsampler("lift", channels=128).state_dict(), tmp_path / "lift-vit.safetensors")
    with pytest.raises(WeightsError, match=r"was trained with upsampler .* train the run again"):
        load_run(folder, encoders, {"up": learned})


def test_prediction_is_the_forward_pass_of_training(
    trained, encoders: dict[str, EncoderConfig], learned: UsedUpsampler
) -> None:
    """The rebuilt model gives the bits of the one that was trained, though it is put in training mode."""
    model, _ = load_run(trained("tuned", learned, master="vit"), encoders, {"up": learned})
    with torch.no_grad():
        expected, found = model.eval().pyramid(images()), model.train().pyramid(images())
    assert all(torch.equal(found[stride], expected[stride]) for stride in expected)
