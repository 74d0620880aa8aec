"""Stochastic depth: timm's, but the same for the images of a step however they are divided."""

from __future__ import annotations

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from vfm_fusion.training.stochastic_depth import StepDropPath, StepPart, share_stochastic_depth


@pytest.mark.parametrize("windows", [1, 4])
def test_the_parts_of_a_step_drop_what_the_whole_step_drops(windows: int) -> None:
    part = StepPart()
    path = StepDropPath(DropPath(0.5), part).train()
    branch = torch.ones(8 * windows, 3, 2)

    def dropped(first: int, count: int) -> torch.Tensor:
        part.begin(7, 8, first, count)
        own = branch[: count * windows]
        return torch.stack([path(own), path(own)])

    whole = dropped(0, 8)
    assert torch.equal(whole, torch.cat([dropped(0, 2), dropped(2, 6)], dim=1))
    assert not torch.equal(whole[0], whole[1])
    assert set(whole.unique().tolist()) == {0.0, 2.0}


def test_as_many_are_dropped_as_timm_drops_and_the_mean_is_kept() -> None:
    part = StepPart()
    part.begin(0, 20_000, 0, 20_000)
    found = StepDropPath(DropPath(0.3), part).train()(torch.ones(20_000, 1))
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert found.mean().item() == pytest.approx(1, abs=0.02)
    assert found.max().item() == pytest.approx(1 / 0.7)


def test_evaluation_and_probability_0_drop_nothing() -> None:
    branch = torch.rand(4, 3)
    assert StepDropPath(DropPath(0.9), StepPart()).eval()(branch) is branch
    assert StepDropPath(DropPath(0.0), StepPart()).train()(branch) is branch


def test_every_path_of_a_model_is_replaced_and_its_weights_are_not_touched() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ModuleDict({"path": DropPath(0.1), "norm": nn.LayerNorm(2)}))
    names = list(model.state_dict())
    share_stochastic_depth(model)
    assert isinstance(model[1]["path"], StepDropPath)
    assert list(model.state_dict()) == names
