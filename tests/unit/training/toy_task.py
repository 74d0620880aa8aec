"""A small task, and the job that trains it in one process or two and may break off at a step."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vfm_fusion.config.base import Section
from vfm_fusion.config.schedule import PolySchedule
from vfm_fusion.errors import ShapeError
from vfm_fusion.training.job import Job, run_job
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.samples import Place, StepSampler, TensorBatch
from vfm_fusion.training.task import Part, Task


class ToyRecipe(Section):
    steps: int = 6
    batch_size: int = 4
    learning_rate: float = 1e-2
    weight_decay: float = 0.05
    warmup_steps: int = 2
    schedule: PolySchedule = PolySchedule()
    clip_norm: float = 0.5
    checkpoint_every: int = 2
    log_every: int = 2


class ToyTask(Task):
    """Learns the sums of noisy vectors, and keeps a moving average of its weights."""

    terms = ("square", "absolute")

    def __init__(self, recipe: ToyRecipe, seed: int = 0) -> None:
        super().__init__(recipe, seed)
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 1))
        self.register_buffer("average", torch.zeros(3))

    def sampler(self) -> StepSampler:
        return StepSampler(10, self.recipe.batch_size, self.seed)

    def batch(self, step: int, samples: Sequence[Place]) -> TensorBatch:
        draws = [torch.Generator().manual_seed(self.derive(1, place)) for place, _ in samples]
        noise = torch.stack([torch.rand(3, generator=draw) for draw in draws])
        numbers = torch.tensor([[float(number)] for _, number in samples])
        inputs = noise + numbers / 10
        return TensorBatch(inputs=inputs, wanted=inputs.sum(dim=1, keepdim=True))

    def totals(self, batch: TensorBatch) -> tuple[int, ...]:
        return (len(batch["inputs"]),)

    def losses(self, part: Part) -> dict[str, Tensor]:
        error = self.model(part.batch["inputs"]) - part.batch["wanted"]
        return {"square": (error**2).sum() / part.totals[0], "absolute": error.abs().sum() / part.totals[0]}

    def after_step(self, progress: float) -> None:
        self.average.lerp_(self.model[0].weight.detach()[0], 0.5 + progress / 2)

    def write(self, folder: Path) -> None:
        save_file(self.state_dict(), folder / "toy.safetensors")


class BrokenOff(ToyTask):
    """Sends a signal, in the computation of a step, to a process."""

    def __init__(self, recipe: ToyRecipe, step: int, number: int, process: int) -> None:
        super().__init__(recipe)
        self.broken, self.number, self.process = step, number, process

    def losses(self, part: Part) -> dict[str, Tensor]:
        if part.step == self.broken and part.first == 0:
            os.kill(self.process, self.number)
        return super().losses(part)


class ToyJob(Job):
    """Trains the toy.

    Attributes:
        broken: a step, and the signal that is sent while it is computed.
        kills_parent: whether the signal goes to the process that started this one.
        fails: whether there is no toy to train.
        interrupted: whether Ctrl-C comes before signals are listened to.
    """

    recipe: ToyRecipe = ToyRecipe()
    accumulate: int = 1
    broken: tuple[int, int] | None = None
    kills_parent: bool = False
    fails: bool = False
    interrupted: bool = False

    def train(self, processes: Processes) -> None:
        if self.interrupted:
            os.kill(os.getpid(), signal.SIGINT)

        def make() -> ToyTask:
            if self.fails:
                raise ShapeError("a toy has no shape")
            if self.broken is None:
                return ToyTask(self.recipe)
            return BrokenOff(self.recipe, *self.broken, os.getppid() if self.kills_parent else os.getpid())

        train(
            make,
            out_dir=Path(self.out_dir),
            state_dir=Path(self.state_dir),
            token=self.token,
            execution=Execution(accumulate=self.accumulate),
            processes=processes,
        )


if __name__ == "__main__":
    import toy_task  # under the name by which other processes find its job

    run_job(toy_task.ToyJob.model_validate_json(sys.argv[1]), int(sys.argv[2]), threads=1)
