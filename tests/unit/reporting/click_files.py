"""Result files of interactive segmentation with the shapes that the workflow's own have, all from seeds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vfm_fusion.atomic import write_json
from vfm_fusion.interactive.click_protocol import EMPTY, ClickedResult, Round
from vfm_fusion.interactive.click_robot import Placement
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.evaluate import ClickedFiles, Playing, write_clicked
from vfm_fusion.interactive.played import PlayedImage, ShownObject, group_table
from vfm_fusion.study.study import Study

PARAMETERS = {"loftup": 4_303_894, "anyup": 878_080, "naf": 662_528, "jbu": 172_772, "lift": 1_187_280}
GAINS = {"low-res": 0.0, "bilinear": -0.05, "lift": -0.2, "jbu": 0.1, "naf": 0.3, "anyup": 0.4, "loftup": 0.5}
"""How much faster IoU rises with an upsampler."""


class ClickFiles:
    """The files of the section ``interactive`` of an experiment.

    Args:
        study: the experiment.
        images: images of every data set.
        size: height and width of the shown ones.
        empty: whether one object of every data set has no pixel.
        unknown: names of scores of maps that are null.
    """

    def __init__(
        self,
        study: Study,
        images: int = 8,
        size: tuple[int, int] = (48, 64),
        empty: bool = True,
        unknown: tuple[str, ...] = (),
    ) -> None:
        self.study, self.images, self.size, self.empty, self.unknown = study, images, size, empty, unknown
        self.config = study.config.interactive

    def write(self) -> None:
        """Writes everything that reports read."""
        config = self.config
        for dataset in config.tested_on:
            path = self._path("index_summary", dataset=dataset, split="val")
            write_json(path, {"images": 3 * self.images})
        for cell, seed, dataset in product(config.cells, config.seeds, config.tested_on):
            self._clicked(vars(cell), seed, dataset)
        for encoder in dict.fromkeys(cell.encoder for cell in config.cells):
            self._maps(encoder)
            for upsampler in self.study.config.upsamplers if config.quality else ():
                self._quality(encoder, upsampler)

    def _path(self, kind: str, **values: Any) -> Path:
        path = Path(self.study.files.pattern(kind, **values))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _result(self, noise: np.random.Generator, gain: float, name: str, number: int) -> ClickedResult:
        """An object whose IoU rises the faster, the easier it is and the more an upsampler gains."""
        if self.empty and name.endswith("1") and number == 1:
            return ClickedResult(name, number, 0, (), float("nan"), EMPTY)
        hard = random(name, number).uniform(0.2, 1.2)
        rate = max(0.05, (0.25 + 0.3 * gain + noise.normal(0, 0.03)) / hard)
        ious = (0.99 - 0.08 * hard) * (1 - np.exp(-rate * np.arange(1, self.config.protocol.max_clicks + 1)))
        rounds = [
            Round(Placement(self._click(noise, click)), float(iou), seconds=noise.uniform(0.02, 0.05))
            for click, iou in enumerate(ious)
        ]
        if name.endswith("2"):  # a perfect mask before the last click
            rounds[-1:] = [Round(Placement(None, "no_error_left"), float(ious[-2]), carried=True)]
        return ClickedResult(name, number, int(900 * hard), tuple(rounds), float(ious[-1] - 0.1))

    def _click(self, rng: np.random.Generator, click: int) -> Click:
        row, col = (int(rng.integers(side // 4, 3 * side // 4)) for side in self.size)
        return Click(row, col, bool(click % 2 == 0))

    def _clicked(self, cell: dict[str, str], seed: int, dataset: str) -> None:
        config, noise = self.config, random(*cell.values(), seed, dataset)
        played = []
        for image in range(self.images):
            gain, name = GAINS[cell["upsampler"]], f"{dataset}-{image:03d}"
            results = tuple(self._result(noise, gain, name, number) for number in (1, 2))
            shown = self._shown(results) if image < config.shown_images else None
            played.append(PlayedImage(results, group_table(self._groups(results)), shown))
        kinds = ("rounds", "objects", "groups", "seconds", "masks", "scores")
        where = {**cell, "seed": seed, "target": dataset}
        files = ClickedFiles(**{kind: self._path(f"clicked_{kind}", **where) for kind in kinds})
        named = {**cell, "seed": seed, "dataset": dataset, "trained_on": config.trained_on}
        named["parameters"] = {"upsampler": PARAMETERS.get(cell["upsampler"], 0), "trained": 2_881_537}
        write_clicked(files, played, Playing(config.protocol, config.robustness), named)

    def _shown(self, results: Sequence[ClickedResult]) -> ShownObject:
        first = next(result for result in results if result.rounds)
        ious = [each.iou for each in first.rounds if not each.carried]
        masks = np.stack([disc(self.size, 2 - iou) for iou in ious])
        return ShownObject(first.number, scene(self.size, first.image_id), disc(self.size, 1.0), masks)

    def _groups(self, results: Sequence[ClickedResult]) -> list[tuple[Any, ...]]:
        """IoU-AUC of clicks beside the best ones, the lower the shallower."""
        config = self.config.robustness
        return [
            (one.image_id, one.number, law, group, 0.9 * one.ious[-1] - 0.02 * group)
            for one in results
            if config is not None and one.rounds
            for law, group in product(config.laws, range(config.groups))
        ]

    def _quality(self, encoder: str, upsampler: str) -> None:
        rng, gain = random(encoder, upsampler), GAINS[upsampler]
        scores: dict[str, Any] = {
            "SC": interval(0.45 + 0.1 * gain + rng.normal(0, 0.02), 0.02),
            "EF": interval(12 + 6 * gain + rng.normal(0, 1), 0.8),
            "EF_null": interval(5.0, 0.3),
            "probe_mIoU": 41.0 + 4 * gain + rng.normal(0, 1),
        }
        for name in self.unknown:
            scores[name] = None if name == "probe_mIoU" else interval(None, None, "grid_too_fine")
        config, named = self.config.quality, {"encoder": encoder, "upsampler": upsampler}
        write_json(
            self._path("upsampled_quality", **named),
            {
                **{**named, "dataset": self.config.measured_on, "images": config.images},
                **{"stride": config.stride, "size": [64, 64], "parameters": PARAMETERS.get(upsampler, 0)},
                **{"scores": scores, "definition": "calibrated", "notes": []},
                "probe": {"learnt": 16, "scored": 32, "reason": "no_labels" if self.unknown else None},
                "peak_bytes": int(rng.uniform(40, 900) * 1e6),
            },
        )
        cost = {"device": "cpu", "threads": 2, "seconds": float(rng.uniform(0.002, 0.4))}
        write_json(self._path("upsampled_cost", **named), {**named, **cost})

    def _maps(self, encoder: str) -> None:
        ids = [f"photo-{image:03d}" for image in range(self.config.shown_images)]
        cells = [cell for cell in self.config.cells if cell.encoder == encoder]
        used = list(dict.fromkeys(cell.upsampler for cell in cells if cell.upsampler != "low-res"))
        with h5py.File(self._path("upsampled_maps", encoder=encoder), "w") as file:
            file.attrs["ids"] = json.dumps(ids)
            for image_id in ids:
                group = file.create_group(image_id)
                image = group["image"] = scene(self.size, image_id)
                if image_id != ids[-1]:
                    group.attrs["first_click"] = [side // 2 for side in self.size]
                colors = np.moveaxis(image, 2, 0)[:, ::8, ::8] / 255
                group["low-res"] = colors.astype(np.float16)
                group.attrs["undefined"] = json.dumps(
                    {used[-1]: "map_too_small"} if image_id == ids[-1] else {}
                )
                for name in used[:-1] if image_id == ids[-1] else used:
                    group[name] = (np.moveaxis(image, 2, 0)[:, ::2, ::2] / 255).astype(np.float16)


def random(*names: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


def interval(mean: float | None, half: float | None, reason: str | None = None) -> dict[str, Any]:
    low, high = (None, None) if mean is None else (mean - half, mean + half)
    return {"mean": mean, "low": low, "high": high, "images": 32, "reason": reason}


def disc(size: tuple[int, int], scale: float) -> np.ndarray:
    """``(H, W)`` bool: a disc in the middle, of a quarter of the height times ``scale``."""
    rows, cols = np.indices(size)
    return np.hypot(rows - size[0] / 2, cols - size[1] / 2) <= scale * size[0] / 4


def scene(size: tuple[int, int], name: str) -> np.ndarray:
    """``(H, W, 3)`` uint8: a light disc on a slope of colours."""
    rows, cols = np.indices(size)
    image = np.stack([255 * rows / size[0], 255 * cols / size[1], np.full(size, 90.0)], axis=2)
    image[disc(size, 1.0)] = random(name).uniform(150, 250, 3)
    return image.astype(np.uint8)
