"""Weight files that are refused, by name and before anything is computed; and how often a file is read."""

from __future__ import annotations

import argparse
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_zoo import seeded
from safetensors.torch import save_file
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.encoders import weight_files as files
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.weight_files import weight_file
from vfm_fusion.errors import WeightsError


def from_file(path: Path, sha256: str | None = None, key: str | None = None) -> EncoderConfig:
    weights = FileWeights(source="file", path=str(path), pretraining="test", sha256=sha256, key=key)
    return EncoderConfig(architecture="mini_vit", weights=weights)


@pytest.fixture
def good() -> dict[str, Tensor]:
    return build_encoder(seeded("mini_vit")).state_dict()


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("content", [b"<!doctype html><html>", b"", b"{}", b"\0" * 64])
def test_what_is_no_weight_file_is_refused_before_it_is_read(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"page.{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"page\.{suffix}: not a readable weight file.*get it again"):
        weight_file("mini", from_file(path))


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("kept", [0.001, 0.5, 0.999])
def test_truncated_files_are_refused_before_they_are_read(
    tmp_path: Path, good: dict[str, Tensor], suffix: str, kept: float
) -> None:
    path = tmp_path / f"whole.{suffix}"
    save_file(good, path) if suffix == "safetensors" else torch.save(good, path)
    assert weight_file("mini", from_file(path)) == path
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(WeightsError, match="not a readable weight file"):
        weight_file("mini", from_file(path))


@pytest.mark.parametrize("legacy", [True, False])
def test_torch_archives_of_both_formats_load(tmp_path: Path, good: dict[str, Tensor], legacy: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(
        {"model": {f"module.{key}": value for key, value in good.items()}},
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    loaded = build_encoder(from_file(path)).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in good.items())


def test_a_truncated_legacy_archive_is_refused(tmp_path: Path, good: dict[str, Tensor]) -> None:
    path = tmp_path / "old.pth"
    torch.save(good, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="not a readable weight file"):
        build_encoder(from_file(path))


def test_weights_that_do_not_fit_are_refused_by_key(tmp_path: Path, good: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.safetensors"
    without = {key: value for key, value in good.items() if "pos_embed" not in key}
    broken = good["model.pos_embed"].clone()
    broken[0, 0, 0] = torch.nan
    for tensors, message in (
        (without, r"missing model\.pos_embed"),
        ({**good, "model.pos_embed": torch.zeros(3)}, r"model\.pos_embed: \(3,\) instead of"),
        ({**good, "decoder.weight": torch.zeros(3)}, r"unknown model\.decoder\.weight"),
        ({**good, "model.pos_embed": broken}, r"NaN or infinity in model\.pos_embed"),
    ):
        save_file(tensors, path)
        with pytest.raises(WeightsError, match=message):
            build_encoder(from_file(path))


def test_the_wrong_file_and_no_file_are_refused(tmp_path: Path, good: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(good, path)
    with pytest.raises(WeightsError, match=r"SHA-256 is .* the configuration expects 0{64}"):
        weights_digest(from_file(path, "0" * 64))
    with pytest.raises(WeightsError, match=r"encoders\.mini\.weights\.path: no weight file at .*absent\.pt"):
        weight_file("mini", from_file(tmp_path / "absent.pt"))


class Payload:
    """Makes a folder when it is unpickled: what a hostile checkpoint would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [True, False])
def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, legacy: bool) -> None:
    torch.save(
        {"state_dict": Payload(tmp_path / "owned")},
        tmp_path / "hostile.pt",
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(WeightsError, match=r"expected tensors only, found other objects .*mkdir"):
        build_encoder(from_file(tmp_path / "hostile.pt"))
    assert not (tmp_path / "owned").exists()


def started(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """The tensors of the inner model, under keys that start with ``start``."""
    return {start + key.removeprefix("model."): value for key, value in tensors.items()}


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize(
    ("beside", "name"),
    [
        (argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (np.float64(0.5), "numpy._core.multiarray.scalar"),
        (Path("out"), "pathlib"),
    ],
)
def test_what_a_training_script_saved_beside_the_tensors_is_named(
    tmp_path: Path, good: dict[str, Tensor], beside: object, name: str, legacy: bool
) -> None:
    path = tmp_path / "epoch3.pth"
    torch.save({"state_dict": good, "args": beside}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=rf"found other objects \(.*{name}.*\['state_dict'\]") as refused:
        build_encoder(from_file(path))
    assert "get it again" not in str(refused.value)
    assert "the name of the entry that holds its tensors in place of state_dict" in str(refused.value)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 3)


def test_a_pickled_model_of_a_class_of_their_own_is_one(tmp_path: Path) -> None:
    torch.save({"model": Net(), "epoch": 3}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"found a pickled model \(.*Net.*save its state_dict") as refused:
        build_encoder(from_file(tmp_path / "model.pt"))
    assert "torch.nn.modules.linear.Linear" in str(refused.value)


def test_a_file_that_is_named_as_the_other_kind_is_to_be_renamed(
    tmp_path: Path, good: dict[str, Tensor]
) -> None:
    save_file(good, tmp_path / "a.pth")
    torch.save(good, tmp_path / "b.safetensors")
    for name, suffix in (("a.pth", r"\.safetensors"), ("b.safetensors", r"\.pt")):
        with pytest.raises(
            WeightsError, match=rf"{name}: holds what a file named \*{suffix} does; rename it"
        ):
            weight_file("mini", from_file(tmp_path / name))


def test_tensors_under_numbers_are_no_state_dict_of_an_encoder(tmp_path: Path) -> None:
    torch.save({0: torch.zeros(2)}, tmp_path / "numbers.pt")
    with pytest.raises(WeightsError, match=r"do not fit mini_vit.*unknown"):
        build_encoder(from_file(tmp_path / "numbers.pt"))


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickled_model_is_refused_as_one(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 3), path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=r"found a pickled model .*save its state_dict .*\.state_dict\(\)"):
        build_encoder(from_file(path))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_other_forms_of_a_model_are_refused_with_the_way_to_save_its_tensors(
    tmp_path: Path, good: dict[str, Tensor]
) -> None:
    torch.jit.trace(torch.nn.Linear(2, 3), torch.zeros(1, 2)).save(tmp_path / "script.pt")
    with pytest.raises(WeightsError, match=r"found a compiled model .*torch\.jit\.load\('script\.pt'\)"):
        build_encoder(from_file(tmp_path / "script.pt"))
    for protocol in (2, 3, 4, 5):
        (tmp_path / "plain.pkl").write_bytes(pickle.dumps(good, protocol))
        with pytest.raises(WeightsError, match=r"plain\.pkl: a pickle, which can run code .*torch\.save"):
            weight_file("own", from_file(tmp_path / "plain.pkl"))
    with zipfile.ZipFile(tmp_path / "sources.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(WeightsError, match="not a readable weight file"):
        build_encoder(from_file(tmp_path / "sources.pt"))


@pytest.mark.parametrize(
    ("start", "key"),
    [
        ("", "teacher"),
        ("module.", "teacher"),
        ("backbone.", "teacher.backbone"),
        ("module.a.b.", "teacher.a.b"),
    ],
)
def test_the_part_of_a_checkpoint_that_a_key_names_is_read(
    tmp_path: Path, good: dict[str, Tensor], start: str, key: str
) -> None:
    path = tmp_path / "dino.pth"
    other = {name: value + 1 for name, value in good.items()}
    teacher = {**started(good, start), **({"head.weight": torch.zeros(3)} if "." in key else {})}
    torch.save({"student": started(other, start), "teacher": OrderedDict(teacher), "epoch": 3}, path)
    found = build_encoder(from_file(path, key=key)).state_dict()
    assert all(torch.equal(found[name], value) for name, value in good.items())
    assert weights_digest(from_file(path, key=key)) != weights_digest(from_file(path, key="student"))
    with pytest.raises(
        WeightsError, match=r"student \(\d+ entries\).*epoch \(int\).*key: student or teacher"
    ):
        build_encoder(from_file(path))
    with pytest.raises(WeightsError, match=r"holds no tensors at key 'teacher.absent'; .*found student"):
        build_encoder(from_file(path, key="teacher.absent"))


def test_a_key_names_the_start_of_keys_in_flat_files_too(tmp_path: Path, good: dict[str, Tensor]) -> None:
    tensors = {**started(good, "model.backbone."), "model.head.weight": torch.zeros(3)}
    save_file(tensors, tmp_path / "flat.safetensors")
    torch.save({"state_dict": tensors}, tmp_path / "lightning.ckpt")
    for name in ("flat.safetensors", "lightning.ckpt"):
        found = build_encoder(from_file(tmp_path / name, key="model.backbone")).state_dict()
        assert all(torch.equal(found[key], value) for key, value in good.items())
    save_file(started(good, "backbone."), tmp_path / "flat.safetensors")
    with pytest.raises(WeightsError, match=r"below another name: give weights\.key: backbone$"):
        build_encoder(from_file(tmp_path / "flat.safetensors"))


@pytest.mark.parametrize(
    ("architecture", "format", "places"),
    [
        ("swin_b", "native", "huggingface.co/timm/swin_base_patch4_window12_384.ms_in22k"),
        ("dinov2_vitb14", "native", "huggingface.co/timm/.*format: official .*dinov2_vitb14_pretrain.pth"),
        ("dinov2_vitb14", "official", "dinov2_vitb14_pretrain.pth from https"),
        ("squeezenet1_0", "native", "download.pytorch.org"),
        ("r2d2_n16", "native", "github.com/naver/r2d2"),
    ],
)
def test_missing_weights_are_refused_with_the_place_to_get_them(
    tmp_path: Path, architecture: str, format: str, places: str
) -> None:
    weights = FileWeights(source="file", path=str(tmp_path / "absent.pt"), format=format)
    with pytest.raises(WeightsError, match=rf"no weight file at .*absent\.pt; .*put there .*{places}"):
        weight_file("own", EncoderConfig(architecture=architecture, weights=weights))


def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "meta.pt")
    with pytest.raises(WeightsError, match="holds no tensors"):
        build_encoder(from_file(tmp_path / "meta.pt"))


def test_a_file_is_hashed_once_until_it_changes(
    tmp_path: Path, good: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(good, path)
    hashed: list[Path] = []
    hash_file = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", lambda p: (hashed.append(p), hash_file(p))[1])
    build_encoder(from_file(path))
    first = weights_digest(from_file(path))
    assert len(hashed) == 1
    save_file({**good, "model.pos_embed": good["model.pos_embed"] + 1}, path)
    assert weights_digest(from_file(path)) != first
    assert len(hashed) == 2
