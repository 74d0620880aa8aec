"""The fusion operators: closed forms, several strides, grids, gradients, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vfm_fusion.config.registries import OPERATORS
from vfm_fusion.config.runs import FusionConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.fusion.injection import FusionOperator, Injection
from vfm_fusion.fusion.operators import build_fusion

MASTER = {4: 8, 8: 12, 16: 16, 32: 20}
AUXILIARY = {4: 6, 8: 12, 16: 24, 32: 48}
"""Narrower, equal, wider and much wider than the master's."""

ALIGNMENTS = ("sample", "project")


def pyramid(channels: dict[int, int], size: tuple[int, int] = (64, 96), seed: int = 0) -> dict[int, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        s: torch.randn(2, c, size[0] // s, size[1] // s, generator=generator) for s, c in channels.items()
    }


def build(operator: str, *strides: int, align: str = "sample", **channels: dict[int, int]) -> FusionOperator:
    torch.manual_seed(0)
    config = FusionConfig(operator=operator, align=align)
    return build_fusion(config, strides, channels.get("master", MASTER), channels.get("auxiliary", AUXILIARY))


def single(*values: float) -> Tensor:
    """A map of one cell."""
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)


def four(*values: float) -> Tensor:
    """A map of 2 x 2 equal cells."""
    return single(*values).expand(-1, -1, 2, 2)


def value(feature: Tensor) -> list[float]:
    """The channels of a map of 2 x 2 equal cells."""
    assert torch.equal(feature, feature[..., :1, :1].expand_as(feature))
    assert feature.shape[-2:] == (2, 2)
    return feature[0, :, 0, 0].tolist()


def fuse_by_hand(operator: FusionOperator) -> list[float]:
    """Fuses master (1, 2) and auxiliary (10, 30) at stride 4 of a two-level pyramid."""
    fused = operator({4: four(1, 2), 8: single(5)}, {4: single(10, 30)})
    assert torch.equal(fused[8], single(5))
    return value(fused[4])


TWO_LEVELS = {"master": {4: 2, 8: 1}, "auxiliary": {4: 2, 8: 2}}


def test_replacement_by_hand() -> None:
    assert fuse_by_hand(build("replace", 4, **TWO_LEVELS)) == [10, 30]


def test_replacement_by_a_narrower_and_a_wider_map_by_hand() -> None:
    narrower = build("replace", 4, master={4: 4, 8: 1}, auxiliary={4: 2})
    fused = narrower({4: four(0, 0, 0, 0), 8: single(0)}, {4: four(10, 30)})
    assert value(fused[4]) == [10, 30, 20, 20]
    wider = build("replace", 4, master={4: 2, 8: 1}, auxiliary={4: 5})
    fused = wider({4: four(0, 0), 8: single(0)}, {4: four(0, 1, 2, 3, 4)})
    assert value(fused[4]) == [0, 2]


def test_concatenation_by_hand() -> None:
    operator = build("concat", 4, **TWO_LEVELS)
    weight = torch.tensor([[1.0, 0, 0.5, 0], [0, 2, 0, -1]])  # rows: outputs; columns: master, auxiliary
    operator.merge["4"].load_state_dict({"weight": weight[:, :, None, None], "bias": torch.tensor([0.0, 1])})
    assert fuse_by_hand(operator) == [1 + 5, 2 * 2 - 30 + 1]


def test_a_gate_by_hand() -> None:
    operator = build("gated", 4, **TWO_LEVELS)
    with torch.no_grad():
        operator.gate["4"].copy_(torch.tensor([0.0, 0.5]).atanh())
    assert fuse_by_hand(operator) == pytest.approx([1, 2 + 0.5 * 30])


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_a_gate_starts_from_the_masters_pyramid_exactly(align: str) -> None:
    master = pyramid(MASTER)
    fused = build("gated", *MASTER, align=align)(master, pyramid(AUXILIARY, seed=1))
    assert all(torch.equal(fused[s], master[s]) for s in MASTER)


def test_equal_widths_inject_the_auxiliary_map_bit_for_bit() -> None:
    auxiliary = pyramid(AUXILIARY, seed=1)
    assert torch.equal(build("replace", 8)(pyramid(MASTER), auxiliary)[8], auxiliary[8])


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("strides", [(4,), (8,), (16,), (32,), (4, 16), (8, 16, 32)])
@pytest.mark.parametrize("name", OPERATORS)
def test_only_the_injection_strides_change(name: str, strides: tuple[int, ...], align: str) -> None:
    operator = build(name, *reversed(strides), align=align)
    open_gates(operator)
    master, auxiliary = pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    fused = operator(master, auxiliary)
    assert operator.strides == strides
    assert list(fused) == list(MASTER)
    for s, feature in fused.items():
        assert feature.shape == master[s].shape
        assert feature.shape[1] == operator.channels[s]
        assert torch.equal(feature, master[s]) == (s not in strides)


@pytest.mark.parametrize("name", OPERATORS)
def test_several_strides_are_each_fused_by_themselves(name: str) -> None:
    both, master, auxiliary = build(name, 4, 32), pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    open_gates(both)
    fused = both(master, auxiliary)
    for stride in both.strides:
        alone = build(name, stride)
        alone.load_state_dict({k: v for k, v in both.state_dict().items() if f".{stride}" in k})
        assert torch.equal(alone(master, auxiliary)[stride], fused[stride])


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_an_image_is_fused_alike_whatever_its_batch(name: str, align: str) -> None:
    operator = build(name, 8, 16, align=align).eval()
    open_gates(operator)
    master, auxiliary = pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    together = operator(master, auxiliary)
    alone = operator({s: f[:1] for s, f in master.items()}, {s: f[:1] for s, f in auxiliary.items()})
    for s in MASTER:
        torch.testing.assert_close(together[s][:1], alone[s], rtol=1e-5, atol=1e-6)


def test_another_grid_is_resized_bilinearly_to_the_masters() -> None:
    auxiliary = pyramid(AUXILIARY, size=(48, 64), seed=1)
    fused = build("replace", 8)(pyramid(MASTER), auxiliary)[8]
    assert torch.equal(fused, F.interpolate(auxiliary[8], size=(8, 12), mode="bilinear", align_corners=False))


@pytest.mark.parametrize("strides", [(4,), (8,), (16,), (32,), (16, 32), (4, 8, 16)])
def test_the_masters_map_is_not_needed_where_it_is_replaced(strides: tuple[int, ...]) -> None:
    operator = build("replace", *strides)
    master, auxiliary = pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    expected = operator(master, auxiliary)
    assert operator.replaced == set(strides)
    found = operator({s: f for s, f in master.items() if s not in operator.replaced}, auxiliary)
    assert all(torch.equal(found[s], expected[s]) for s in MASTER)


@pytest.mark.parametrize("name", ["concat", "gated"])
def test_the_masters_map_is_needed_where_it_is_kept(name: str) -> None:
    assert build(name, 8).replaced == frozenset()


@pytest.mark.parametrize("name", OPERATORS)
def test_only_the_injected_maps_of_the_auxiliary_are_needed(name: str) -> None:
    operator, auxiliary = build(name, 8, 16), pyramid(AUXILIARY, seed=1)
    found = operator(pyramid(MASTER), {s: auxiliary[s] for s in operator.strides})
    expected = operator(pyramid(MASTER), auxiliary)
    assert all(torch.equal(found[s], expected[s]) for s in MASTER)


def test_sampling_has_no_parameters_and_projection_learns() -> None:
    assert not list(build("replace", 16).parameters())
    projecting = build("replace", 16, align="project")
    projecting(pyramid(MASTER), pyramid(AUXILIARY, seed=1))[16].square().sum().backward()
    assert projecting.align["16"].weight.shape == (MASTER[16], AUXILIARY[16], 1, 1)
    assert projecting.align["16"].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_gradients_reach_every_parameter_and_the_master(name: str, align: str) -> None:
    operator = build(name, 8, 16, align=align)
    open_gates(operator)
    master = {s: f.requires_grad_() for s, f in pyramid(MASTER).items()}
    auxiliary = {s: f.requires_grad_() for s, f in pyramid(AUXILIARY, seed=1).items()}
    sum(f.square().sum() for f in operator(master, auxiliary).values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in operator.parameters())
    assert {s for s, f in master.items() if f.grad is not None} == set(MASTER) - operator.replaced
    assert {s for s, f in auxiliary.items() if f.grad is not None} == {8, 16}


def test_a_closed_gate_opens() -> None:
    operator = build("gated", 8, align="project")
    optimizer = torch.optim.SGD(operator.parameters(), lr=0.1)
    for _ in range(2):
        fused = operator(pyramid(MASTER), pyramid(AUXILIARY, seed=1))
        (fused[8] - 1).square().mean().backward()
        if not operator.gate["8"].any():
            assert operator.align["8"].weight.grad.abs().sum() == 0  # nothing passes the gate yet
        optimizer.step()
    assert operator.gate["8"].abs().min() > 0
    assert operator.align["8"].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_a_state_dict_carries_the_operator(name: str, align: str) -> None:
    trained = build(name, 4, 16, align=align)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.copy_(torch.randn_like(parameter))
    loaded = build(name, 4, 16, align=align)
    loaded.load_state_dict(trained.state_dict())
    master, auxiliary = pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    expected, found = trained(master, auxiliary), loaded(master, auxiliary)
    assert all(torch.equal(found[s], expected[s]) for s in MASTER)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(OPERATORS)),
    align=st.sampled_from(ALIGNMENTS),
    strides=st.sets(st.sampled_from([4, 8, 16, 32]), min_size=1, max_size=3),
    widths=st.tuples(*[st.integers(1, 9)] * 4),
    others=st.tuples(*[st.integers(1, 9)] * 4),
    cells=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    grid=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_the_fused_pyramid_always_has_the_masters_shapes(
    name: str,
    align: str,
    strides: set[int],
    widths: tuple[int, ...],
    others: tuple[int, ...],
    cells: tuple[int, int],
    grid: tuple[int, int],
) -> None:
    own, foreign = (dict(zip(MASTER, channels, strict=True)) for channels in (widths, others))
    operator = build(name, *strides, align=align, master=own, auxiliary=foreign)
    master = pyramid(own, size=(32 * cells[0], 32 * cells[1]))
    auxiliary = {s: torch.randn(2, foreign[s], *grid) for s in strides}
    fused = operator(master, auxiliary)
    assert {s: f.shape for s, f in fused.items()} == {s: f.shape for s, f in master.items()}
    assert all(torch.isfinite(f).all() for f in fused.values())


@pytest.mark.parametrize(
    ("strides", "message"),
    [
        ((64,), "injection stride 64: the master's pyramid has strides"),
        ((16, 16), "expected one or several, each once"),
        ((), "expected one or several"),
    ],
)
@pytest.mark.parametrize("name", OPERATORS)
def test_impossible_strides_are_refused_by_name(name: str, strides: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        build(name, *strides)


def test_a_stride_that_the_auxiliary_lacks_is_refused_by_name() -> None:
    with pytest.raises(ShapeError, match=r"injection stride 8: the auxiliary's pyramid has strides \[16\]"):
        build("concat", 8, auxiliary={16: 4})


def test_replacing_every_map_is_refused() -> None:
    with pytest.raises(ShapeError, match="leaves nothing of the master"):
        build("replace", *MASTER)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_a_choice_that_is_explained(name: str) -> None:
    assert isinstance(build(name, 8), Injection)
    assert f"`{name}`: " in FusionConfig.model_fields["operator"].description


def test_an_operator_is_a_class_and_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "summing.py").write_text(
        "from vfm_fusion.fusion.injection import Injection\n\n\n"
        "class Sum(Injection):\n"
        "    def combine(self, stride, master, injected):\n"
        "        return master + injected\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(OPERATORS, "sum", "summing:Sum")
    config = FusionConfig.model_construct(operator="sum", align="sample")
    master, auxiliary = pyramid(MASTER), pyramid(MASTER, seed=1)
    fused = build_fusion(config, (8,), MASTER, MASTER)(master, auxiliary)
    assert torch.equal(fused[8], master[8] + auxiliary[8])


def open_gates(operator: FusionOperator) -> None:
    """Lets a gated operator pass something on."""
    with torch.no_grad():
        for name, parameter in operator.named_parameters():
            if name.startswith("gate."):
                parameter.fill_(0.7)
