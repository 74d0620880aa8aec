"""Objects that cover one another keep their whole masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.datasets.base import Instances
from vfm_fusion.datasets.readers.coco_instance import lay_over


def boxes(*corners: tuple[int, int, int, int]) -> list[np.ndarray]:
    masks = []
    for top, bottom, left, right in corners:
        masks.append(np.zeros((4, 5), bool))
        masks[-1][top:bottom, left:right] = True
    return masks


def test_the_first_mask_lies_in_front() -> None:
    front, back = boxes((0, 2, 0, 3), (1, 4, 2, 5))
    ids, covered = lay_over([(7, front), (3, back)], (4, 5))
    assert ids.tolist() == [[7, 7, 7, 0, 0], [7, 7, 7, 3, 3], [0, 0, 3, 3, 3], [0, 0, 3, 3, 3]]
    assert ids.dtype == covered.dtype == np.int32
    assert covered.tolist() == [[[0, 0, 0, 0, 0], [0, 0, 3, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]]


def test_masks_side_by_side_need_no_further_layer() -> None:
    ids, covered = lay_over(enumerate(boxes((0, 2, 0, 3), (2, 4, 0, 3)), start=1), (4, 5))
    assert covered is None
    assert ids.tolist() == [[1, 1, 1, 0, 0]] * 2 + [[2, 2, 2, 0, 0]] * 2


def test_no_masks() -> None:
    ids, covered = lay_over([], (4, 5))
    assert covered is None
    assert ids.shape == (4, 5)
    assert not ids.any()


@given(st.integers(0, 8), st.integers(0, 999))
def test_every_mask_survives(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = list(rng.random((count, 6, 7)) < rng.random((count, 1, 1)))
    ids, covered = lay_over(((k + 1, mask) for k, mask in enumerate(masks)), (6, 7))
    instances = Instances(ids, np.zeros(count, np.int64), np.zeros(count, bool), covered)
    for position, mask in enumerate(masks):
        np.testing.assert_array_equal(instances.mask(position), mask)
    depth = np.sum(masks, axis=0) if masks else np.zeros((6, 7))
    assert (0 if covered is None else len(covered)) == max(0, int(depth.max()) - 1)
