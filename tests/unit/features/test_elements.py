"""Element types: rounding, bits, what is not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vfm_fusion.features.elements import ELEMENTS


@pytest.mark.parametrize("name", ELEMENTS)
def test_encoding_rounds_as_torch_does_and_decoding_is_exact(name: str) -> None:
    element = ELEMENTS[name]
    features = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0)).permute(1, 0, 2)
    stored = element.encode(features)
    assert stored.dtype == element.stored
    assert stored.flags.c_contiguous
    assert torch.equal(torch.from_numpy(element.decode(stored)), features.to(element.computed).float())


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("size", [1, 1000, (1 << 16) + 3])
def test_non_finite_elements_are_counted_as_numpy_counts_them(name: str, size: int) -> None:
    element = ELEMENTS[name]
    values = torch.randn(size, generator=torch.Generator().manual_seed(size))
    assert element.non_finite(element.encode(values)) == 0
    for position, bad in ((0, torch.nan), (size // 2, torch.inf), (size - 1, -torch.inf)):
        values[position] = bad
    stored = element.encode(values)
    assert element.non_finite(stored) == np.count_nonzero(~np.isfinite(element.decode(stored)))


@pytest.mark.parametrize(("name", "largest"), [("float16", 65504.0), ("bfloat16", 3.3e38)])
def test_an_overflow_is_not_finite(name: str, largest: float) -> None:
    element = ELEMENTS[name]
    assert element.non_finite(element.encode(torch.tensor([largest]))) == 0
    assert element.non_finite(element.encode(torch.tensor([largest * 1.05], dtype=torch.float64))) == 1


@pytest.mark.parametrize("name", ELEMENTS)
def test_the_fill_value_is_nan(name: str) -> None:
    element = ELEMENTS[name]
    assert np.isnan(element.decode(np.full(1, element.fill, dtype=element.stored)))[0]
