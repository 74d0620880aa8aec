"""From queries to semantic, instance and panoptic predictions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.inference import decode, predict
from vfm_fusion.segmentation.prediction import Segment
from vfm_fusion.segmentation.task_classes import TaskClasses

THINGS = {2, 3}
CLASSES = TaskClasses("panoptic", (0, 1, 2, 3), ("road", "sky", "car", "bus"), (False, False, True, True))
SIZE = (8, 12)
SETTINGS = EvaluationConfig()


def query(category: int, confidence: float, mask: np.ndarray, softness: float = 20.0) -> tuple:
    """A query of the given class probability whose mask logits are +-softness."""
    probabilities = np.full(len(CLASSES) + 1, 1e-9)
    probabilities[category] = confidence
    probabilities[-1] += 1 - confidence
    return torch.tensor(probabilities).log(), torch.tensor(np.where(mask, softness, -softness))


def decoded(*queries: tuple, size: tuple[int, int] = SIZE, **settings: float):
    classes, masks = (torch.stack(part).float() for part in zip(*queries, strict=True))
    return decode(classes, masks, size, CLASSES, SETTINGS.model_copy(update=settings))


def band(first: int, last: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[first:last] = True
    return mask


def test_disjoint_confident_queries_are_read_off_exactly() -> None:
    found = decoded(
        query(0, 0.95, band(0, 3)),
        query(2, 0.9, band(3, 5)),
        query(2, 0.99, band(5, 8)),
        query(1, 0.3, band(0, 8)),
    )
    expected = np.repeat([0, 0, 0, 2, 2, 2, 2, 2], SIZE[1]).reshape(SIZE)
    np.testing.assert_array_equal(found.semantic, expected)
    assert found.semantic.dtype == np.uint8
    assert found.segments == (Segment(1, 0, False), Segment(2, 2, True), Segment(3, 2, True))
    np.testing.assert_array_equal(found.panoptic[:, 0], [1, 1, 1, 2, 2, 3, 3, 3])
    assert found.panoptic.dtype == np.int32
    best = found.instances
    assert best.categories[:2].tolist() == [2, 2]
    np.testing.assert_allclose(best.scores[:2], [0.99, 0.9], rtol=1e-5)
    np.testing.assert_array_equal(best.masks[0], band(5, 8))


def test_semantic_evidence_adds_up_over_queries() -> None:
    found = decoded(query(0, 0.5, band(0, 8)), query(1, 0.3, band(0, 8)), query(1, 0.3, band(0, 4)))
    np.testing.assert_array_equal(found.semantic[:, 0], [1, 1, 1, 1, 0, 0, 0, 0])


def test_instances_are_things_ranked_by_class_and_mask_quality() -> None:
    sharp, soft = query(3, 0.6, band(0, 2)), query(3, 0.8, band(4, 6), softness=0.5)
    found = decoded(query(0, 0.99, band(0, 8)), soft, sharp).instances
    assert set(found.categories.tolist()) <= THINGS
    np.testing.assert_allclose(found.scores[:2], [0.6, 0.8 * torch.tensor(0.5).sigmoid()], rtol=1e-5)
    np.testing.assert_array_equal(found.masks[0], band(0, 2))


def test_the_most_probable_pairs_are_kept_whatever_their_class() -> None:
    found = decoded(query(0, 0.9, band(0, 4)), query(2, 0.8, band(4, 8)), top_instances=1)
    assert len(found.instances.scores) == 0
    found = decoded(query(0, 0.9, band(0, 4)), query(2, 0.8, band(4, 8)), top_instances=2)
    assert len(found.instances.scores) == 1


def test_empty_masks_are_no_instances() -> None:
    assert len(decoded(query(2, 0.9, band(0, 0))).instances.scores) == 0


def test_nothing_confident_gives_an_empty_panoptic_map() -> None:
    found = decoded(query(2, 0.5, band(0, 8)))
    assert found.segments == ()
    assert not found.panoptic.any()
    assert len(found.instances.scores) > 0


def test_two_queries_of_a_stuff_class_become_one_segment() -> None:
    found = decoded(query(1, 0.9, band(0, 3)), query(2, 0.9, band(3, 5)), query(1, 0.9, band(5, 8)))
    assert found.segments == (Segment(1, 1, False), Segment(2, 2, True))
    np.testing.assert_array_equal(found.panoptic[:, 0], [1, 1, 1, 2, 2, 1, 1, 1])


@pytest.mark.parametrize(("overlap", "survives"), [(0.4, True), (0.6, False)])
def test_a_mask_that_is_mostly_covered_is_dropped(overlap: float, survives: bool) -> None:
    found = decoded(query(3, 0.99, band(2, 8)), query(2, 0.9, band(0, 4)), overlap=overlap)
    assert [segment.category for segment in found.segments] == ([3, 2] if survives else [3])
    assert (found.panoptic[0, 0] != 0) == survives


def test_logits_are_resized_to_the_image_before_thresholding() -> None:
    mask = np.zeros((2, 3), bool)
    mask[0] = True
    found = decoded(query(2, 0.99, mask), size=(8, 12))
    assert found.semantic.shape == found.panoptic.shape == (8, 12)
    np.testing.assert_array_equal(found.panoptic[:, 0], [1, 1, 1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("size", [(64, 96), (50, 70), (1, 1), (33, 200)])
def test_images_of_any_size_come_back_at_their_size(
    encoders: dict[str, EncoderConfig], head_config: HeadConfig, size: tuple[int, int]
) -> None:
    head = head_config.model_copy(update={"hidden_dim": 64})  # a group norm of one value has no variance
    model = build_segmenter(RunConfig(master="vit", auxiliary="hiera"), encoders, (8,), head, len(CLASSES), 0)
    images = [np.random.default_rng(k).integers(0, 256, (*size, 3), dtype=np.uint8) for k in range(2)]
    together = predict(model.eval(), images, CLASSES, SETTINGS)
    assert [p.semantic.shape for p in together] == [size, size]
    assert together[0].instances.masks.shape[1:] == size
    (alone,) = predict(model.eval(), images[1:], CLASSES, SETTINGS)
    assert (alone.semantic == together[1].semantic).mean() > 0.99
