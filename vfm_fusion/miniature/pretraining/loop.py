"""Training of one objective: seeded step by step, resumable bit for bit on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from vfm_fusion.config.pretraining import PretrainedConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import TrainingError
from vfm_fusion.miniature.pretraining.objective import Batch, Objective
from vfm_fusion.segmentation.data import StepSampler
from vfm_fusion.segmentation.learner import StepLosses
from vfm_fusion.training.checkpoints import load_checkpoint, newest_valid, save_checkpoint
from vfm_fusion.training.loss_log import LossLog, step_bar
from vfm_fusion.training.optimization import decays, learning_rate_factor
from vfm_fusion.training.signals import StopRequest, leave_to_parent

_SAMPLING, _VIEWS, _STEP = range(3)


class PretrainingLoop:
    """Steps, checkpoints and the way out.

    Attributes:
        step: optimiser steps taken.
        losses: the training log.
    """

    def __init__(
        self,
        objective: Objective,
        dataset: Dataset,
        recipe: PretrainedConfig,
        state_dir: Path,
        token: str,
        workers: int = 0,
    ) -> None:
        """Moves the objective to a GPU, where there is one, and takes up the newest valid checkpoint.

        Args:
            objective: what is trained, in place.
            dataset: labelled images.
            recipe: the recipe.
            state_dir: folder of the checkpoints; belongs to this job alone.
            token: identifies the job's settings; checkpoints of another token are not used.
            workers: processes that prepare batches; the result does not depend on them.
        """
        self.dataset, self.recipe, self.workers = dataset, recipe, workers
        self.state_dir, self.token = state_dir, token
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.objective = objective.to(self.device).train()
        self.optimizer = torch.optim.AdamW(_groups(objective, recipe), fused=True)
        self.losses = LossLog(recipe, objective.terms)
        self.step = 0
        state_dir.mkdir(parents=True, exist_ok=True)
        found = newest_valid(state_dir, token)
        if found is not None:
            self._load(load_checkpoint(found))
            self.step = found.step

    def run(self, out_dir: Path) -> None:
        """Trains to the last step; writes ``metrics.csv`` and TensorBoard logs into ``out_dir``.

        Raises:
            TrainingError: a loss or gradient that is no finite number, a checkpoint that cannot be written,
                or a signal, after the state has been saved.
        """
        out_dir.mkdir(parents=True, exist_ok=True)
        self.losses.open(out_dir / "tensorboard", self.step)
        steps = self.recipe.steps
        try:
            with StopRequest() as stop, step_bar(self.step, steps) as bar:
                for batch in self._batches():
                    found = self._take(batch)
                    self.losses.add(self.step, found)
                    if bar is not None:
                        bar.show(self.step, found.loss)
                    if self.step % self.recipe.checkpoint_every == 0 or self.step == steps or stop.received:
                        self._save()
                    if stop.received and self.step < steps:
                        raise TrainingError(
                            f"stopped by {stop.received.name} after step {self.step} of {steps}; saved; the "
                            "same command resumes"
                        )
        finally:
            self.losses.close()
        self.objective.eval()
        self.losses.write(out_dir / "metrics.csv")

    def _batches(self) -> Iterator[Batch]:
        steps = _Steps(self.objective, self.dataset, self.recipe)
        yield from DataLoader(
            steps,
            batch_size=None,
            sampler=range(self.step, self.recipe.steps),
            num_workers=self.workers,
            worker_init_fn=_serve,
        )

    def _take(self, batch: Batch) -> StepLosses:
        """Takes an optimiser step."""
        recipe, progress = self.recipe, self.step / self.recipe.steps
        torch.manual_seed(_seed(recipe.seed, _STEP, self.step))  # stochastic depth
        factor = learning_rate_factor(self.step, recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor
        self.optimizer.zero_grad()
        terms = self.objective.losses({k: v.to(self.device) for k, v in batch.items()}, progress)
        sum(terms.values()).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.objective.parameters(), recipe.clip_norm)
        found = StepLosses({name: float(terms[name].detach()) for name in self.objective.terms}, float(norm))
        if not np.isfinite([*found.terms.values(), found.grad_norm]).all():
            raise TrainingError(
                f"non-finite loss or gradient at step {self.step + 1} of {recipe.steps}: {found.terms}, norm "
                f"of the gradient {found.grad_norm:g}. Lower the learning rate or lengthen the warm-up"
            )
        self.optimizer.step()
        self.objective.after_step(progress)
        self.step += 1
        return found

    def _save(self) -> None:
        state = {
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses.state_dict(),
        }
        save_checkpoint(self.state_dir, self.token, self.step, state)

    def _load(self, state: dict[str, Any]) -> None:
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.losses.load_state_dict(state["losses"])


class _Steps(TorchDataset[Batch]):
    """The batch of every step, each drawn from a stream of its own."""

    def __init__(self, objective: Objective, dataset: Dataset, recipe: PretrainedConfig) -> None:
        self.objective, self.dataset, self.recipe = objective, dataset, recipe
        self.order = StepSampler(len(dataset), recipe.batch_size, _seed(recipe.seed, _SAMPLING))

    def __getitem__(self, step: int) -> Batch:
        samples = [self.dataset[index] for _, index in self.order.of_step(step)]
        return self.objective.batch(samples, np.random.default_rng([self.recipe.seed, _VIEWS, step]))


def _groups(objective: Objective, recipe: PretrainedConfig) -> list[dict[str, Any]]:
    """Parameter groups of AdamW: only matrices and kernels decay."""
    groups: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for module in objective.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                groups[decays(module, name, parameter)].append(parameter)
    decay = recipe.weight_decay
    rate = recipe.learning_rate
    return [
        {"params": groups[key], "lr": rate, "weight_decay": decay if key else 0.0} for key in (True, False)
    ]


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _serve(worker: int) -> None:
    torch.set_num_threads(1)
    leave_to_parent()
