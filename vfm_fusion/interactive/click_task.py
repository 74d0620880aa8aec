"""A click model as a task of the training engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vfm_fusion.atomic import atomic_path, write_json
from vfm_fusion.config.clicks import ClickTrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import TrainingError
from vfm_fusion.interactive.click_crops import draw_click_crop, whole_click_crop
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.interactive.click_sampling import sample_points, sample_target
from vfm_fusion.interactive.encoder_limits import check_side
from vfm_fusion.interactive.focal_loss import IGNORED, normalised_focal_loss
from vfm_fusion.interactive.iterative_clicks import click_on_errors
from vfm_fusion.training.samples import Place, Sampler, StepSampler, TensorBatch
from vfm_fusion.training.task import Part, Task
from vfm_fusion.training.views import Views

MODEL_FILE, RUN_FILE = "model.safetensors", "run.json"

_CROP, _ROUNDS, _CLICKS = 6, 7, 8  # streams of random numbers


class HardImages:
    """Draws the images of each step with replacement, hard ones more often.

    An image of score s, an IoU in [0, 1], is drawn with a probability in (1 - s)^power.
    """

    def __init__(self, scores: Sequence[float], power: float, batch_size: int, seed: int) -> None:
        """Describes the stream.

        Raises:
            TrainingError: a score is outside [0, 1], or all of them are 1.
        """
        if not all(0 <= score <= 1 for score in scores) or min(scores) == 1:
            raise TrainingError(
                "scores of images must be IoUs in [0, 1], not all 1; found values from "
                f"{min(scores)} to {max(scores)}"
            )
        hardness = (1 - np.asarray(scores, float)) ** power
        self.shares, self.batch_size, self.seed = hardness / hardness.sum(), batch_size, seed

    def of_step(self, step: int) -> list[Place]:
        """Returns the samples of a step."""
        rng = np.random.default_rng([self.seed, step])
        drawn = rng.choice(len(self.shares), self.batch_size, p=self.shares)
        return [(step * self.batch_size + number, int(image)) for number, image in enumerate(drawn)]


class ClickTask(Task):
    """A click model learns to segment the objects that are clicked.

    A sample draws crop, object and first clicks by its place in the stream, and its iterative clicks
    likewise; their number of rounds is the step's. So a step may be divided, unless the frozen parts are in
    training mode, as released, where batch norms mix the images of a part.

    Attributes:
        model: the click model.
    """

    terms = ("focal",)

    def __init__(
        self,
        model: ClickModel,
        recipe: ClickTrainingConfig,
        seed: int,
        dataset: Dataset,
        scores: Sequence[float] | None = None,
        maps: Callable[[int], Tensor] | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        """Puts a loss on the model.

        Args:
            model: the untrained click model.
            recipe: the recipe.
            seed: seed of all that is drawn.
            dataset: images with objects; or fixed views of them, which are taken as they are.
            scores: how well each image was segmented before, see :class:`HardImages`; None for every image
                as often as another.
            maps: gives the encoder's map ``(C, h, w)`` of a view by its number, so that the encoder need not
                run; None to run it.
            description: content of ``run.json``; None where none is written.

        Raises:
            ConfigError: the encoder does not take crops of ``crops.side``.
            TrainingError: as many scores are needed as there are images, or see :class:`HardImages`; or there
                are maps of images that are cropped anew, or for clicks that enter before them.
        """
        super().__init__(recipe, seed)
        if scores is not None and len(scores) != len(dataset):
            raise TrainingError(
                f"found {len(scores)} scores for the {len(dataset)} images; give one for each"
            )
        self.model, self.dataset, self.scores, self.description = model, dataset, scores, description
        self.is_drawn, self.maps = not isinstance(dataset, Views), maps
        if maps is not None and (self.is_drawn or model.config.inject == "early"):
            raise TrainingError(
                "stored maps take fixed views and clicks that enter behind the encoder, found inject "
                f"{model.config.inject} and a {type(dataset).__name__}; leave the maps out"
            )
        if self.is_drawn:
            check_side(recipe.crops.side, model.featurizer.encoder.spec, "crops.side")
        self.divisible = model.config.frozen_mode == "eval"
        self._stream = self._sampler_of(scores)

    def sampler(self) -> Sampler:
        """See :meth:`Task.sampler`."""
        return self._stream

    def batch(self, step: int, samples: Sequence[Place]) -> TensorBatch:
        """See :meth:`Task.batch`: ``image`` (S, S, 3) uint8, ``truth`` (1, S, S) int8, ``points``; and
        the stored ``features``, if there are any.
        """
        drawn = [self._sample(place, number) for place, number in samples]
        return TensorBatch({name: torch.stack([each[name] for each in drawn]) for name in drawn[0]})

    def totals(self, batch: TensorBatch) -> tuple[int]:
        """See :meth:`Task.totals`: the images."""
        return (len(batch["image"]),)

    def losses(self, part: Part) -> dict[str, Tensor]:
        """See :meth:`Task.losses`: the mean of the images' normalised focal losses."""
        images, truth = part.batch["image"].permute(0, 3, 1, 2).float() / 255, part.batch["truth"]
        rounds = np.random.default_rng(self.derive(_ROUNDS, part.step)).integers(
            self.recipe.clicks.rounds + 1
        )
        first = part.step * part.samples + part.first
        rngs = [np.random.default_rng(self.derive(_CLICKS, first + n)) for n in range(len(images))]
        seen = self.model.see(images, part.batch.get("features"))
        points, previous = click_on_errors(
            self.model, seen, part.batch["points"], truth, self.recipe.clicks.threshold, int(rounds), rngs
        )
        losses = normalised_focal_loss(self.model.answer(seen, previous, points), truth)
        return {"focal": losses.sum() / part.totals[0]}

    def saved(self) -> dict[str, Tensor]:
        """See :meth:`Task.saved`: what is trained; as released, the statistics that drift with it too."""
        saved = {name: p.detach() for name, p in self.named_parameters() if p.requires_grad}
        if self.model.config.frozen_mode == "as_released":
            saved |= {name: value for name, value in self.state_dict().items() if name not in saved}
        return saved

    def names(self, samples: Sequence[Place]) -> list[str]:
        """See :meth:`Task.names`: the ids of the images."""
        return [self.dataset.ids[number] for _, number in samples]

    def write(self, folder: Path) -> None:
        """See :meth:`Task.write`: ``model.safetensors``, only what is trained, and ``run.json``."""
        tensors = {name: value.cpu().contiguous() for name, value in self.model.learned().items()}
        with atomic_path(folder / MODEL_FILE) as temporary:
            temporary.write_bytes(save(tensors))
        if self.description is not None:
            write_json(folder / RUN_FILE, self.description)

    def _sampler_of(self, scores: Sequence[float] | None) -> Sampler:
        if scores is None:
            return StepSampler(len(self.dataset), self.recipe.batch_size, self.seed)
        return HardImages(scores, self.recipe.hardness, self.recipe.batch_size, self.seed)

    def _sample(self, place: int, number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(self.derive(_CROP, place))
        sample, categories = self.dataset[number], self.dataset.categories
        if self.is_drawn:
            crop = draw_click_crop(sample, categories, self.recipe.crops, rng)
        else:
            crop = whole_click_crop(sample, categories, self.recipe.crops)
        target = sample_target(crop.objects, crop.ignored, self.recipe.clicks, rng)
        truth = np.where(target.mask, 1, np.where(crop.ignored, IGNORED, 0)).astype(np.int8)
        points = sample_points(target, self.recipe.clicks, rng)
        arrays = {"image": crop.image, "truth": truth[None], "points": points}
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return tensors if self.maps is None else {**tensors, "features": self.maps(number)}
