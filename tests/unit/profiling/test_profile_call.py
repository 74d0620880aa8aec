"""The one call gives the numbers of the workflow's stages, whatever encoders are given as."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image
from torch import Tensor, nn

import vfm_fusion
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.config.own_folder_data import OwnFolderConfig
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.registry import index_split, open_indexed
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.describe import check_encoder
from vfm_fusion.errors import ConfigError, SelectionError, VfmFusionError
from vfm_fusion.features.extract import configured_extraction
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.encoder_profile import profile_store, summarise_profile
from vfm_fusion.profiling.given_encoders import settings_of
from vfm_fusion.profiling.profile_result import Profile
from vfm_fusion.selection.select import select

STRIDES = (4, 8, 16)
NAMES = ("mini-dino", "mini-sam")
QUICK = {"paper": MetricConfig.of("paper", n_init=2, null_draws=1, max_points=512, silhouette_points=256)}


def pictures() -> list[np.ndarray]:
    """Blocks of colours under noise, of two sizes."""
    rng = np.random.default_rng(0)
    sizes = ((128, 160), (160, 128), (128, 160))
    blocks = [rng.integers(0, 200, (h // 16, w // 16, 3)).repeat(16, 0).repeat(16, 1) for h, w in sizes]
    return [(block + rng.integers(0, 56, block.shape)).astype(np.uint8) for block in blocks]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, picture in enumerate(pictures()):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def call(encoders: object, images: object, **options: object) -> Profile:
    return vfm_fusion.profile(
        encoders, images, **{"definition": QUICK, "strides": STRIDES, "progress": False} | options
    )


@pytest.fixture(scope="module")
def found(photos: Path) -> Profile:
    return call(NAMES, photos)


def by_the_stages(photos: Path, folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the scripts of the rules do, from a folder of photos to a profile and its summary."""
    data = {"kind": "folder", "root": str(photos)}
    index = folder / "index.parquet"
    write_index(index_split(OwnFolderConfig.model_validate(data), photos, "val").frame, index)
    encoder = settings_of(name).model_dump(mode="json")
    manifest = folder / f"{name}.zarr.manifest.json"
    configured_extraction(
        config=json.dumps({"dataset": data, "encoder": encoder, "features": {}}),
        code="",
        index=index,
        generated=folder,
        dataset="photos",
        encoder=name,
        manifest=manifest,
        state=folder / name,
        threads=1,
    ).run()
    config = ProfileConfig(definitions=QUICK, strides=STRIDES)
    scores = profile_store(FeatureStore(manifest), open_indexed(data, index, folder), config)
    return scores, summarise_profile(scores, config)


def test_the_numbers_are_the_workflows(found: Profile, photos: Path, tmp_path: Path) -> None:
    summaries = {}
    for name in NAMES:
        scores, summaries[name] = by_the_stages(photos, tmp_path, name)
        assert_frame_equal(found.scores[name], scores)
        own = found.frame[found.frame["encoder"] == name]
        assert len(own) == len(summaries[name])
        both = own.merge(summaries[name], on=["definition", "stride", "score"], suffixes=("", "_stage"))
        for column in ("mean", "ci_low", "ci_high", "images", "undefined"):
            assert np.array_equal(both[column], both[f"{column}_stage"], equal_nan=True)
    chosen = select(summaries, photos.name, SelectionConfig())
    pair = found.best_pair()
    assert (pair.master, pair.auxiliary, pair.stride) == tuple(
        chosen[role] for role in ("master", "auxiliary", "stride")
    )
    assert {name: found.best_stride(name) for name in NAMES} == chosen["peaks"]
    assert found.selection() == chosen


def test_the_frame_is_tidy(found: Profile) -> None:
    frame = found.frame
    assert not frame.duplicated(["encoder", "definition", "stride", "score"]).any()
    parts = {"sfc", "scs", "ec", "nc", "fc", "sp"}
    whole = {"sc", "ef", "sc_null", "ef_null", "sc_excess", "ef_excess", "rankme"}
    assert set(frame["score"]) == parts | whole
    assert set(frame["stride"]) == set(STRIDES)
    defined = frame.dropna(subset="mean")
    assert (defined["ci_low"] <= defined["mean"]).all()


def test_a_model_and_a_function_give_what_a_name_gives(found: Profile) -> None:
    encoder = build_encoder(settings_of("mini-sam"))
    backbone = encoder.model.train()
    own = vfm_fusion.OwnEncoder(_Intermediates(backbone), encoder.spec.mean, encoder.spec.std)
    result = call({"module": own, "function": lambda images: list(encoder(images).values())}, pictures())
    expected = found.scores["mini-sam"].drop(columns="image_id")
    for name in ("module", "function"):
        assert_frame_equal(result.scores[name].drop(columns="image_id"), expected)
    assert backbone.training, "given back as it was"


class _Intermediates(nn.Module):
    """A Hiera that returns its stages."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.model.forward_intermediates(images, intermediates_only=True)


def test_one_encoder_ends_in_a_table_and_figures(photos: Path, tmp_path: Path) -> None:
    result = call("mini-sam", photos, max_images=2)
    assert "Role" not in str(result)
    assert result.best_stride() in STRIDES
    with pytest.raises(SelectionError, match="a pair needs two encoders"):
        result.best_pair()
    page = result.save(tmp_path / "out").read_text(encoding="utf-8")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    figures = {f"{stem}.{end}" for stem in ("profiles", "sc_ef_plane") for end in ("pdf", "png")}
    tables = {f"{stem}.{end}" for stem in ("profiles", "measures") for end in ("csv", "md")}
    assert names == {"profile.html", *tables, *figures}
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page, "needs no network"
    assert "n = 2 images" in page


def test_labels_add_their_own_table(tmp_path: Path) -> None:
    masks = [(picture[..., 0] > 100).astype(np.int64) for picture in pictures()]
    result = call("mini-sam", pictures(), labels=masks)
    assert result.supervised_table is not None
    measured = result.supervised_table.data.query("statistic == 'mean'").set_index("measure")["value"]
    assert 0 < measured["SC_GT, classes"] < 1
    result.save(tmp_path)
    assert (tmp_path / "supervised.csv").is_file()


def test_a_cache_computes_only_what_is_new(
    found: Profile, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("mini-sam", photos, cache=tmp_path)
    passed: list[int] = []
    forward = vfm_fusion.profiling.own_encoder.Encoder.forward
    monkeypatch.setattr(
        "vfm_fusion.encoders.base.Encoder.forward", lambda *a, **k: passed.append(1) or forward(*a, **k)
    )
    again = call("mini-sam", photos, cache=tmp_path)
    assert not passed
    assert_frame_equal(again.scores["mini-sam"], found.scores["mini-sam"])
    other = {"other": MetricConfig.of("paper", n_init=1, null_draws=0, max_points=512, silhouette_points=256)}
    call("mini-sam", photos, cache=tmp_path, definition=other)
    assert not passed, "features serve every definition"
    call("mini-sam", photos, cache=tmp_path, max_images=1)
    assert passed


def test_it_shows_itself(found: Profile) -> None:
    text = str(found)
    assert all(name in text for name in NAMES)
    assert repr(found) == f"<Profile: {text.splitlines()[0]}>"
    html = found._repr_html_()
    assert html.startswith('<div class="vfm-fusion">')
    assert html.count("<img ") == 2
    assert "<body" not in html
    figures = found.plot()
    assert len(figures.profiles.axes) == 2
    assert figures._repr_html_().count("<img ") == 2


@pytest.mark.parametrize(
    ("encoders", "options", "said"),
    [
        ("mini-dinos", {}, "encoders.mini-dinos.architecture: 'mini-dinos' is unknown"),
        ([], {}, "encoders: there are none"),
        ([3], {}, "encoders.int: expected a name, EncoderConfig, OwnEncoder, a module or a function"),
        (nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten()), {}, r"no spatial maps: take the model before"),
        ("mini-dino", {"strides": (4, 5)}, r"strides: \[5\] impossible; choose from: \[4, 8, 16, 32\]"),
        ("mini-dino", {"strides": 4}, r"metrics.strides: expected a list of whole numbers"),
        ("mini-dino", {"definition": "papers"}, "papers.*calibrated"),
        ("mini-dino", {"definition": MetricConfig()}, "definition: expected a preset, .*found MetricConfig"),
        ("mini-dino", {"definition": 3}, "definition: expected a preset, .*found int"),
        ("mini-dino", {"definition": {"fine": {"gird": 3}}}, "metrics.definitions.fine.gird"),
        ("mini-dino", {"damaged": "ignore"}, "damaged: expected 'refuse' or 'skip'; found 'ignore'"),
        ("mini-dino", {"cache": __file__}, "cache: .*test_profile_call.py is no folder; name another"),
        ("mini-dino", {"image_size": 512}, r"features.image_size: expected one of \[480, 640\]"),
        ("mini-dino", {"device": "gpu"}, "device: 'gpu' is no device"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(encoders: object, options: dict, said: str) -> None:
    with pytest.raises(VfmFusionError, match=said):
        call(encoders, pictures(), **options)


def test_a_mistake_in_what_is_asked_of_the_result_is_answered_too(found: Profile) -> None:
    with pytest.raises(
        ConfigError, match=r"selection\.task: expected 'semantic' or 'edge'; found 'panoptic'"
    ):
        found.best_pair("panoptic")
    with pytest.raises(ConfigError, match=r"selection\.stride_by: expected 'ef' or 'sc'; found 'ec'"):
        found.best_stride("mini-sam", by="ec")
    with pytest.raises(ConfigError, match=r"folder: .*test_profile_call\.py is no folder"):
        found.save(__file__)


def test_encoders_that_cannot_be_ranked_are_shown_without_a_pair() -> None:
    result = call(["mini-dino", "mini-sam"], np.zeros((32, 32, 3), np.uint8))
    assert result.chosen[0] is None
    assert "No pair could be chosen: mini-" in str(result)
    assert "One encoder" not in result._repr_html_()


def test_a_name_alone_means_its_published_weights() -> None:
    assert settings_of("dinov2_vitb14").weights.revision is None, "that of the registry"
    unpinned = settings_of("dinov2_vits14")
    assert unpinned.weights.revision == "main"
    check_encoder("dinov2", unpinned)
    with pytest.raises(ConfigError, match="no hub repository is known for mini_vit"):
        settings_of("mini_vit")


def test_encoders_of_one_kind_are_numbered() -> None:
    weights = {"source": "seeded", "seed": 1}
    same = [EncoderConfig(architecture="mini_hiera", weights=weights)] * 2
    timm = EncoderConfig(architecture="timm:test_convnext", weights=weights)
    result = call([*same, timm], pictures()[:1], strides=(8,))
    assert list(result.scores) == ["mini_hiera", "mini_hiera (2)", "timm:test_convnext"]
    assert result.labels["mini_hiera"]["pretraining"] == "untrained (seed 1)"
    assert result.frame.query("score == 'sc'").groupby("encoder")["mean"].first().notna().all()


def test_the_package_starts_without_torch_and_says_its_version() -> None:
    code = "import sys, vfm_fusion; print(vfm_fusion.__version__, 'torch' in sys.modules, dir(vfm_fusion))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, loaded, names = done.stdout.split(maxsplit=2)
    assert version[0].isdigit()
    assert loaded == "False"
    assert "'profile'" in names
    with pytest.raises(AttributeError, match="it has profile"):
        vfm_fusion.profiles_of  # noqa: B018
