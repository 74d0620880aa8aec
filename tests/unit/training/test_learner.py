"""When a step is not taken, and which kernels compute it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from toy_task import ToyRecipe, ToyTask

from vfm_fusion.errors import TrainingError
from vfm_fusion.training.learner import DivergenceWatch, Execution, StepLosses
from vfm_fusion.training.loop import train
from vfm_fusion.training.task import Part


def test_float16_may_leave_out_steps_but_not_for_ever() -> None:
    good = StepLosses(dict.fromkeys(ToyTask.terms, 1.0), 1.0)
    bad = StepLosses(dict.fromkeys(ToyTask.terms, 1.0), math.inf)
    watch = DivergenceWatch(4, "16-mixed")
    for step, losses in enumerate([*[bad] * 20, good, *[bad] * 20], start=1):
        watch.check(step, losses, ["a"])
    with pytest.raises(TrainingError, match=r"gradient at step 42 of 4 for 21 steps in a row"):
        watch.check(42, bad, ["a"])
    for precision in ("32-true", "bf16-mixed"):
        with pytest.raises(TrainingError, match="non-finite gradient at step 1"):
            DivergenceWatch(4, precision).check(1, bad, ["a"])
    with pytest.raises(TrainingError, match="another precision than 16-mixed"):
        watch.check(1, StepLosses(dict.fromkeys(ToyTask.terms, math.nan), 1.0), ["a"])


def test_deterministic_kernels_are_chosen_for_the_time_of_training_alone(tmp_path: Path) -> None:
    seen = []

    class Watching(ToyTask):
        def losses(self, part: Part) -> dict[str, torch.Tensor]:
            seen.append(torch.are_deterministic_algorithms_enabled())
            return super().losses(part)

    for name, deterministic in (("plain", False), ("same", True)):
        train(
            lambda: Watching(ToyRecipe(steps=2)),
            out_dir=tmp_path / name,
            state_dir=tmp_path / name / "state",
            token="t",
            execution=Execution(deterministic=deterministic),
        )
    assert seen == [False] * 2 + [True] * 2
    assert not torch.are_deterministic_algorithms_enabled()
    plain, same = ((tmp_path / name / "toy.safetensors").read_bytes() for name in ("plain", "same"))
    assert plain == same


def test_losses_of_other_terms_are_refused(tmp_path: Path) -> None:
    class More(ToyTask):
        def losses(self, part: Part) -> dict[str, torch.Tensor]:
            return super().losses(part) | {"cubic": part.batch["inputs"].sum()}

    with pytest.raises(TrainingError, match=r"step 0: More.losses gave the terms \['absolute', 'cubic'"):
        train(lambda: More(ToyRecipe()), out_dir=tmp_path, state_dir=tmp_path / "state", token="t")


@pytest.mark.parametrize("odd", [torch.zeros(4), torch.zeros(1), 0.5])
def test_losses_that_are_no_scalars_are_refused_by_name(tmp_path: Path, odd: object) -> None:
    class Odd(ToyTask):
        def losses(self, part: Part) -> dict[str, torch.Tensor]:
            return super().losses(part) | {"square": odd}

    with pytest.raises(TrainingError, match=r"step 0: Odd.losses gave \{'square': .*expected scalar tensors"):
        train(lambda: Odd(ToyRecipe()), out_dir=tmp_path, state_dir=tmp_path / "state", token="t")
