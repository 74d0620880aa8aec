"""The distinct values of a raster are those that sorting finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vfm_fusion.datasets.numbering import distinct

EDGES = [0, 7, 26_001, 26_002, 33_999, 65_535, 65_536, 2**31 - 1, -1]
VALUES = {
    np.uint8: st.integers(0, 255),
    np.int32: st.sampled_from(EDGES[:6]) | st.sampled_from(EDGES),
    np.int64: st.integers(-(2**40), 2**40),
}


@pytest.mark.parametrize("dtype", VALUES)
@given(data=st.data())
def test_values_and_places_are_those_of_sorting(dtype: type, data: st.DataObject) -> None:
    shape = data.draw(array_shapes(max_dims=2, min_side=0, max_side=12))
    raster = data.draw(arrays(dtype, shape, elements=VALUES[dtype]))
    found, places = distinct(raster)
    values, sorted_places = np.unique(raster, return_inverse=True)
    assert found.dtype == raster.dtype
    np.testing.assert_array_equal(found, values)
    assert places.shape == raster.shape
    np.testing.assert_array_equal(places, sorted_places.reshape(raster.shape))
