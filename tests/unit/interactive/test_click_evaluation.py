"""A data set that is clicked: what is written, what is kept between runs, and a trained model read again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from interactive_toys import photo

from vfm_fusion.config.clicks import ClickModelConfig, ClickProtocolConfig, RobustnessConfig, SimpleVitConfig
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.interactive import Cell
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.base import Category, Instances, Sample
from vfm_fusion.errors import WeightsError
from vfm_fusion.interactive.built import ClickParts, build_click_model, describe_clicks, load_clicks
from vfm_fusion.interactive.click_predictor import Prediction
from vfm_fusion.interactive.evaluate import ClickedFiles, Playing, play_dataset, write_clicked
from vfm_fusion.interactive.played import Kept

PLAYING = Playing(
    ClickProtocolConfig(max_clicks=3, targets=(0.9,)), RobustnessConfig(groups=2, laws=("uniform",)), None, 1
)
NAMED = {"encoder": "e", "upsampler": "u", "clicks": "late", "seed": 0, "dataset": "toys"}


class Boxes:
    """Three images with two objects each; one object of the last has no pixel."""

    categories = (Category(0, "background", False, (0, 0, 0)), Category(1, "object", True, (255, 0, 0)))
    ids = ("x", "y", "z")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> Sample:
        ids = np.zeros((20, 24), np.int32)
        ids[2:8, 2 : 10 + number] = 1
        if number < 2:
            ids[12:18, 4:20] = 2
        instances = Instances(ids, np.array([1, 1]), np.array([False, False]))
        return Sample(self.ids[number], photo(20, 24, seed=number), (ids > 0).astype(np.uint8), instances)


class Growing:
    """Predicts a square around every positive click, wider with every click; fails on one image."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.images, self._fails_at = 0, fails_at

    def set_image(self, image: np.ndarray) -> None:
        if self.images == self._fails_at:
            raise KeyboardInterrupt
        self.images, self._size = self.images + 1, image.shape[:2]

    def predict(self, clicks: list, last: Prediction) -> Prediction:
        probability = np.zeros(self._size, np.float32)
        reach = 2 * len(clicks)
        for row, col, positive in clicks:
            if positive:
                probability[max(0, row - reach) : row + reach, max(0, col - reach) : col + reach] = 1
        return Prediction(probability)


def files(folder: Path) -> ClickedFiles:
    names = {name: folder / f"{name}.parquet" for name in ("rounds", "objects", "groups", "seconds")}
    return ClickedFiles(**names, masks=folder / "masks.h5", scores=folder / "scores.json")


def clicked(folder: Path, predictor: Growing, token: str = "t") -> ClickedFiles:
    played = play_dataset(predictor, Boxes(), PLAYING, Kept(folder / "state", token))
    write_clicked(files(folder), played, PLAYING, NAMED)
    return files(folder)


def test_an_interrupted_evaluation_goes_on_with_the_next_image(tmp_path: Path) -> None:
    whole = clicked(tmp_path / "whole", Growing())
    with pytest.raises(KeyboardInterrupt):
        clicked(tmp_path / "cut", Growing(fails_at=2))
    predictor = Growing()
    cut = clicked(tmp_path / "cut", predictor)
    assert predictor.images == 1, "only the last image was left to play"
    for name in ("rounds", "objects", "groups", "scores", "masks"):
        assert getattr(whole, name).read_bytes() == getattr(cut, name).read_bytes(), name
    assert len(pd.read_parquet(cut.seconds)) == len(pd.read_parquet(whole.seconds))
    again = Growing()
    clicked(tmp_path / "cut", again, token="another model")
    assert again.images == 3


def test_tables_scores_and_masks_are_of_every_object(tmp_path: Path) -> None:
    written = clicked(tmp_path, Growing())
    rounds, objects = pd.read_parquet(written.rounds), pd.read_parquet(written.objects)
    assert len(objects) == 6
    assert len(rounds) == 5 * 3
    assert objects["undefined"].astype(bool).tolist() == [False] * 5 + [True]
    told = json.loads(written.scores.read_text())
    assert told["scores"]["undefined"] == 1
    assert told["scores"]["mIoU@3"] == pytest.approx(100 * rounds.loc[rounds["click"] == 3, "iou"].mean())
    assert told["robustness"].keys() == {"IoU_AUC_uniform", "IoU_AUC_spread_uniform"}
    assert told["images"] == 3
    assert told["objects"] == 6
    assert {key: told[key] for key in NAMED} == NAMED
    assert "seconds" not in json.dumps(told)
    groups = pd.read_parquet(written.groups)
    assert groups["IoU_AUC"].isna().tolist() == [False] * 10 + [True] * 2
    with h5py.File(written.masks) as file:
        assert json.loads(file.attrs["ids"]) == ["x"]
        assert file["x"].attrs["object"] == 1
        truth, masks = file["x/truth"][()], file["x/masks"][()]
    assert masks.shape == (3, 20, 24)
    first = rounds[(rounds["image_id"] == "x") & (rounds["object"] == 1)]["iou"]
    assert [(truth & mask).sum() / (truth | mask).sum() for mask in masks] == pytest.approx(first.tolist())


def parts(upsampler: str = "bilinear", seed: int = 0) -> ClickParts:
    return ClickParts(
        cell=Cell("mini", upsampler, "late"),
        encoder=EncoderConfig(architecture="mini_vit", weights=SeededWeights(source="seeded", seed=seed)),
        upsampler=UpsamplerConfig(architecture=upsampler),
        trained_upsampler=None,
        clicks=ClickModelConfig(
            click_encoder="simple_vit",
            inject="late_hr",
            head="linear",
            simple_vit=SimpleVitConfig(depth=1, heads=2, head_dim=8, mlp_dim=32),
        ),
    )


def test_a_trained_model_is_read_again_to_the_bit(tmp_path: Path) -> None:
    from vfm_fusion.config.clicks import ClickTrainingConfig
    from vfm_fusion.interactive.click_task import ClickTask

    model = build_click_model(parts(), seed=3)
    with torch.no_grad():
        model.head[-1].weight.add_(0.25)
    description = describe_clicks(parts(), model, 3, {})
    ClickTask(model, ClickTrainingConfig(steps=1), 3, Boxes(), description=description).write(tmp_path)
    again, found = load_clicks(tmp_path, parts())
    inputs = torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32), torch.tensor([[[5.0, 6.0, 0.0], [-1.0] * 3]])
    assert torch.equal(model.eval()(*inputs), again(*inputs))
    assert found["parameters"]["upsampler"] == 0
    assert found["parameters"]["head"] == 129
    with pytest.raises(WeightsError, match="trained with encoder 'mini' of weights"):
        load_clicks(tmp_path, parts(seed=1))
    run = (tmp_path / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(run.replace('"seed"', '"seedling"'), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"run.json: has no key 'seed'; train the click model again"):
        load_clicks(tmp_path, parts())
    (tmp_path / "run.json").write_text(run, encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(WeightsError, match="train the click model again"):
        load_clicks(tmp_path, parts())


def test_the_memory_of_upsampling_is_said_before_it_runs() -> None:
    note = build_click_model(parts(upsampler="bilinear"), seed=0).memory_note(2, (64, 64))
    assert re.fullmatch(r"maps \d+ x \d+ -> 64 x 64, \d+ channels, 2 at once: \d+ MB, and \d+ MB .*", note)
