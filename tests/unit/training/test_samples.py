"""The stream of training samples, and batches on their way to a process."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.training.samples import StepSampler, TensorBatch, loaded_steps


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 12), st.integers(0, 3))
def test_a_step_is_itself_whatever_was_asked_before_and_every_sample_comes_once_an_epoch(
    count: int, batch_size: int, start: int, seed: int
) -> None:
    sampler = StepSampler(count, batch_size, seed)
    stream = [sampler.of_step(step) for step in range(start + 10)]
    resumed = StepSampler(count, batch_size, seed)
    assert [resumed.of_step(step) for step in range(start, start + 10)] == stream[start:]
    flat = [place for batch in stream for place in batch]
    assert [place for place, _ in flat] == list(range(len(flat)))
    whole = len(flat) // count * count
    for epoch in range(0, whole, count):
        assert sorted(number for _, number in flat[epoch : epoch + count]) == list(range(count))


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [number for _, number in StepSampler(50, 50, seed).of_step(epoch)]

    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_processes_get_their_shares_in_the_order_of_their_ranks(workers: int) -> None:
    def batches(rank: int, count: int) -> list[list[int]]:
        sampler = StepSampler(5, 4, 0)
        with loaded_steps(numbers, sampler, range(3, 6), workers, 4, rank, count) as loaded:
            return [batch["number"].tolist() for batch in loaded]

    whole = batches(0, 1)
    assert whole == [[number for _, number in StepSampler(5, 4, 0).of_step(step)] for step in range(3, 6)]
    shares = zip(batches(0, 2), batches(1, 2), strict=True)
    assert [first + second for first, second in shares] == whole


def numbers(step: int, samples: list[tuple[int, int]]) -> TensorBatch:
    return TensorBatch(number=torch.tensor([number for _, number in samples]))


def test_a_batch_is_divided_in_order() -> None:
    batch = TensorBatch(a=torch.arange(6), b=torch.arange(12).view(6, 2))
    parts = batch.split(3)
    assert [part["a"].tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert torch.equal(torch.cat([part["b"] for part in parts]), batch["b"])
    assert isinstance(parts[0].to(torch.device("cpu")), TensorBatch)
