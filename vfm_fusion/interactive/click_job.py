"""Training a click model, in one process or several."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.clicks import ClickTrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.features.matching import store_of
from vfm_fusion.interactive.built import ClickParts, build_click_model, describe_clicks
from vfm_fusion.interactive.click_task import ClickTask
from vfm_fusion.interactive.image_scores import read_scores
from vfm_fusion.training.job import Job
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.views import Views

logger = logging.getLogger(__name__)


class ClickJob(Job):
    """Everything that the training of a click model needs.

    Attributes:
        parts: what the model is made of.
        recipe: how it is trained.
        seed: seed of initial weights, crops and clicks.
        dataset: settings of the data set.
        index: index of the images to train on (Parquet).
        generated: folder of the data set if it is a generated one.
        maps: manifest of the encoder's maps of the recipe's views; None where the encoder runs.
        scores: table of the images' scores; None where all are drawn alike.
        workers: processes that load images.
    """

    parts: ClickParts
    recipe: ClickTrainingConfig
    seed: int
    dataset: dict[str, Any]
    index: str
    generated: str
    maps: str | None
    scores: str | None = None
    workers: int

    def train(self, processes: Processes) -> None:
        """See :meth:`Job.train`."""
        dataset = open_indexed(self.dataset, Path(self.index), Path(self.generated))
        train(
            lambda: self._task(dataset),
            out_dir=Path(self.out_dir),
            state_dir=Path(self.state_dir),
            token=self.token,
            execution=Execution(workers=self.workers),
            processes=processes,
        )

    def _task(self, dataset: Dataset) -> ClickTask:
        model = build_click_model(self.parts, self.seed)
        side = self.recipe.crops.side
        size = (side, side) if self.recipe.cached_views is None else self.recipe.augmentation.crop
        logger.info("upsampling, predicted: %s", model.memory_note(self.recipe.batch_size, size))
        table, views = self.scores and Path(self.scores), self.recipe.cached_views
        scores = table and np.repeat(read_scores(table, dataset.ids), views or 1).tolist()
        recipe = {
            **self.recipe.model_dump(mode="json", exclude={"workers"}),
            "scores": table and file_sha256(table),
        }
        description = describe_clicks(self.parts, model, self.seed, recipe)
        if views is not None:
            dataset = Views(dataset, self.recipe.augmentation, views)
        maps = None if self.maps is None else stored_maps(Path(self.maps), dataset, model.featurizer.stride)
        return ClickTask(model, self.recipe, self.seed, dataset, scores, maps, description)


def stored_maps(manifest: Path, views: Dataset, stride: int) -> Callable[[int], Tensor]:
    """Opens what an encoder made of fixed views.

    Args:
        manifest: that of the store.
        views: the views.
        stride: which map is read.

    Returns:
        Number of a view -> its map ``(C, h, w)`` float32.

    Raises:
        FeatureStoreError: the store is missing, or is not of these views.
    """
    store = store_of(manifest, views.ids)
    return lambda number: torch.from_numpy(store.read(number, [stride])[stride]).float()
