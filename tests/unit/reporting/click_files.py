"""Result files of interactive segmentation with the shapes that the workflow's own have, all from seeds."""

from __future__ import annotations

import json
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from vfm_fusion.atomic import write_json
from vfm_fusion.interactive.click_protocol import EMPTY, ClickedResult, Round
from vfm_fusion.interactive.click_robot import Placement
from vfm_fusion.interactive.click_robustness import COLUMNS, robustness_scores
from vfm_fusion.interactive.click_scores import click_scores, click_table, object_table, timing_table
from vfm_fusion.interactive.clicks import Click
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

    def _results(self, cell: dict[str, str], seed: int, dataset: str) -> list[ClickedResult]:
        protocol, gain = self.config.protocol, GAINS[cell["upsampler"]]
        noise, results = random(*cell.values(), seed, dataset), []
        for image, number in product(range(self.images), (1, 2)):
            hard = random(dataset, image, number).uniform(0.2, 1.2)
            rate = max(0.05, (0.25 + 0.3 * gain + noise.normal(0, 0.03)) / hard)
            top = 0.99 - 0.08 * hard
            ious = top * (1 - np.exp(-rate * np.arange(1, protocol.max_clicks + 1)))
            if self.empty and image == number == 1:
                results.append(ClickedResult(f"photo-{image:03d}", number, 0, (), float("nan"), EMPTY))
                continue
            rounds = [
                Round(Placement(self._click(noise, click)), float(iou), seconds=noise.uniform(0.02, 0.05))
                for click, iou in enumerate(ious)
            ]
            if image == 2:  # a perfect mask before the last click
                rounds[-2:] = [Round(Placement(None, "no_error_left"), float(ious[-3]), carried=True)] * 2
            boundary = float(ious[-1] - 0.1)
            results.append(
                ClickedResult(f"photo-{image:03d}", number, int(900 * hard), tuple(rounds), boundary)
            )
        return results

    def _click(self, rng: np.random.Generator, click: int) -> Click:
        row, col = (int(rng.integers(side // 4, 3 * side // 4)) for side in self.size)
        return Click(row, col, bool(click % 2 == 0))

    def _clicked(self, cell: dict[str, str], seed: int, dataset: str) -> None:
        config, where = self.config, {**cell, "seed": seed, "target": dataset}
        results = self._results(cell, seed, dataset)
        rounds, objects = click_table(results), object_table(results, config.protocol)
        tables = {"clicked_rounds": rounds, "clicked_objects": objects}
        tables["clicked_seconds"] = timing_table(results)
        for kind, table in tables.items():
            table.to_parquet(self._path(kind, **where), index=False)
        write_json(
            self._path("clicked_scores", **where),
            {
                **cell,
                **{"seed": seed, "dataset": dataset, "trained_on": config.trained_on},
                **{"images": self.images, "objects": len(objects)},
                "parameters": {"upsampler": PARAMETERS.get(cell["upsampler"], 0), "trained": 2_881_537},
                "protocol": config.protocol.model_dump(mode="json"),
                "scores": click_scores(rounds, objects, config.protocol),
                "robustness": self._robustness(objects),
            },
        )
        self._masks(where, rounds)

    def _robustness(self, objects: pd.DataFrame) -> dict[str, float] | None:
        config = self.config.robustness
        if config is None:
            return None
        rows = [
            (image, number, law, group, 0.9 * iou - 0.02 * group)
            for image, number, iou in objects[["image_id", "object", "final_IoU"]].itertuples(index=False)
            for law, group in product(config.laws, range(config.groups))
        ]
        return robustness_scores([pd.DataFrame(rows, columns=list(COLUMNS))])

    def _masks(self, where: dict[str, Any], rounds: pd.DataFrame) -> None:
        """Masks of the first object that was clicked, one a prediction."""
        made = rounds[~rounds["carried"]].groupby("image_id")
        shown = {f"photo-{image:03d}" for image in range(self.config.shown_images)} & set(made.groups)
        with h5py.File(self._path("clicked_masks", **where), "w") as file:
            file.attrs["ids"] = json.dumps(sorted(shown))
            for image_id in sorted(shown):
                of = made.get_group(image_id)
                number = of["object"].min()
                group = file.create_group(image_id)
                group.attrs["object"] = number
                group["image"], group["truth"] = scene(self.size, image_id), disc(self.size, 1.0)
                ious = of.loc[of["object"] == number, "iou"]
                group["masks"] = np.stack([disc(self.size, 2 - iou) for iou in ious])

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
