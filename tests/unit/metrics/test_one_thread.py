"""Scoring on one thread."""

from __future__ import annotations

import pytest
import torch

from vfm_fusion.metrics.threads import one_thread


@one_thread
def threads(fail: bool = False) -> int:
    if fail:
        raise RuntimeError("inside")
    return torch.get_num_threads()


def test_one_inside_and_as_before_outside() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="inside"):
            threads(fail=True)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
