"""Operations by closed form, and what is measured of a model."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.cost import CostedModel, measure_turn
from vfm_fusion.segmentation.flops import count_flops, count_step_flops


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class Sampling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.grid_sample(x, torch.zeros(2, 7, 3, 2), align_corners=False)


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Linear(5, 3), (2, 4, 5), 2 * (2 * 4) * 5 * 3),
        (nn.Conv2d(3, 8, 3, padding=1), (2, 3, 6, 10), 2 * (2 * 6 * 10) * 8 * 3 * 9),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), (1, 4, 6, 6), 2 * (6 * 6) * 4 * 9),
        (Attention(), (2, 3, 10, 16), 2 * 2 * (2 * 3) * 10 * 10 * 16),
        (Sampling(), (2, 5, 9, 9), 8 * 2 * 5 * 7 * 3),
        (nn.Sequential(nn.LayerNorm(6), nn.GELU()), (4, 6), 0),
    ],
    ids=["linear", "convolution", "depthwise", "attention", "sampling", "element-wise"],
)
def test_operations_are_counted_by_the_formula(
    module: nn.Module, shape: tuple[int, ...], expected: int
) -> None:
    assert count_flops(module, torch.rand(shape))["total"] == expected


def test_parts_add_up_and_a_vit_costs_what_its_formula_says(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    model = build_segmenter(RunConfig(master="vit"), encoders, (), recipe.head, 4, 0).eval()
    flops = count_flops(model, torch.rand(1, 3, 64, 96))
    assert flops.pop("total") == sum(flops.values())
    cells, width = (64 // 16) * (96 // 16), 128
    tokens = cells + 1  # the class token
    block = 2 * tokens * 12 * width**2 + 2 * 2 * tokens**2 * width
    assert flops["master"] == 2 * cells * (3 * 16 * 16) * width + 6 * block


def test_an_auxiliary_costs_no_more_than_its_injection_stride_needs(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    run, costs = RunConfig(master="vit", auxiliary="hiera"), []
    for stride in (4, 8, 16, 32):
        model = build_segmenter(run, encoders, (stride,), recipe.head, 4, 0).eval()
        costs.append(count_flops(model, torch.rand(1, 3, 64, 64))["auxiliary"])
    assert 0 < costs[0] < costs[1] < costs[2] < costs[3]


@pytest.mark.parametrize("run", [RunConfig(master="vit", auxiliary="hiera"), RunConfig(master="hiera")])
def test_what_is_measured_of_a_run_is_plain_data(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig, run: RunConfig
) -> None:
    strides = () if run.auxiliary is None else (16,)
    measured = CostedModel(run, encoders, strides, recipe, 4)
    found = measure_turn(measured, CostConfig(size=(64, 128), repeats=2), 1, counts=True)
    assert json.loads(json.dumps(found)) == found
    model = build_segmenter(run, encoders, strides, recipe.head, 4, 0)
    parameters = found["parameters"]
    assert {k: parameters[k] for k in ("total", "trainable")} == model.count_parameters()
    parts = {name for name, _ in model.named_children()}
    assert parameters["total"] == sum(parameters[part] for part in parts)
    assert parts == set(found["flops"]) - {"total"}
    assert found["inference"]["size"] == [64, 128]
    assert (found["inference"]["batch"], found["training"]["batch"]) == (1, 2)
    assert found["training"]["size"] == [64, 64]
    for phase in (found["inference"], found["training"]):
        assert len(phase["times"]) == 2
        assert min(phase["times"]) > 0
        assert phase["peak_bytes"] > 2**20


def test_a_device_is_timed_on_its_share_of_a_step(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    shared = recipe.model_copy(update={"batch_size": 8, "devices": 2, "accumulate": 4})
    model = CostedModel(RunConfig(master="vit"), encoders, (), shared, 4)
    training = measure_turn(model, CostConfig(repeats=1), 1, counts=False)["training"]
    assert (training["batch"], training["devices"], training["accumulate"]) == (4, 2, 4)


def test_a_backward_pass_is_counted_by_the_formula() -> None:
    layer, frozen = nn.Linear(5, 3), nn.Linear(4, 5).requires_grad_(False)
    x = torch.rand(2, 4)
    forward = 2 * 2 * (4 * 5 + 5 * 3)
    weight = 2 * 2 * 5 * 3  # the gradient of the layer's weight; what is in front of it has none
    assert count_step_flops(lambda: layer(frozen(x)).sum().backward()) == forward + weight
    attention = torch.rand(2, 3, 10, 16, requires_grad=True)
    product = 2 * (2 * 3) * 10 * 10 * 16
    backward = 5 * product  # the scores once more, and two products for each of the two in front
    found = count_step_flops(
        lambda: F.scaled_dot_product_attention(attention, attention, attention).sum().backward()
    )
    assert found == 2 * product + backward
    points = torch.zeros(2, 7, 3, 2, requires_grad=True)
    samples = 2 * 5 * 7 * 3
    maps = torch.rand(2, 5, 9, 9)
    found = count_step_flops(lambda: F.grid_sample(maps, points, align_corners=False).sum().backward())
    assert found == 3 * 8 * samples


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_timed_step_is_a_whole_step(
    encoders: dict[str, EncoderConfig],
    recipe: TrainingConfig,
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from vfm_fusion.segmentation import cost

    models = []
    build = cost.build_segmenter
    monkeypatch.setattr(
        cost, "build_segmenter", lambda *arguments: models.append(build(*arguments)) or models[-1]
    )
    own = recipe.model_copy(update={"precision": precision})
    measured = CostedModel(RunConfig(master="vit", auxiliary="hiera"), encoders, (16,), own, 4)
    measure_turn(measured, CostConfig(repeats=1), 1, counts=False)
    before = build(RunConfig(master="vit", auxiliary="hiera"), encoders, (16,), recipe.head, 4, 0)
    moved = {
        name.split(".")[0]
        for (name, new), old in zip(models[0].named_parameters(), before.parameters(), strict=True)
        if not torch.equal(new, old)
    }
    assert moved == {"master", "projection", "head"}


def test_a_size_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="expected positive multiples of 32"):
        CostConfig(size=(500, 1024))
