"""Probing frozen features: features that say everything, and features that say nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vfm_fusion.datasets.base import VOID, Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import TrainingError
from vfm_fusion.miniature.pretraining.probing import majority_classes, probe, read_cells

CLASSES = 3
SIZE = (64, 96)


class Split:
    """Images in memory."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> Sample:
        return self.samples[position]


class Given(Encoder):
    """An encoder whose map is a given function of the red of each cell's first pixel."""

    def __init__(self, function: Callable[[Tensor], Tensor], strides: Sequence[int] = (16,)) -> None:
        spec = EncoderSpec(
            "given", "vit", dict.fromkeys(strides, CLASSES), size_divisor=32, mean=(0, 0, 0), std=(1, 1, 1)
        )
        super().__init__(spec)
        self.function = function
        self.unused = nn.Parameter(torch.zeros(1))
        self.asked: set[tuple[int, ...]] = set()

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        self.asked.add(tuple(strides))
        return {s: self.function(normalised[:, 0, ::s, ::s] * 255).movedim(-1, 1) for s in strides}


def telling(red: Tensor) -> Tensor:
    return nn.functional.one_hot(red.round().long() % CLASSES, CLASSES).float() + 0.1


def noise(red: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(int(red.sum()))
    return torch.randn(*red.shape, CLASSES, generator=generator)


def scene(rng: np.random.Generator, chances: Sequence[float] = (0.6, 0.3, 0.1)) -> Sample:
    """Cells of 16 pixels of one class each; red is the class."""
    cells = rng.choice(CLASSES, size=(SIZE[0] // 16, SIZE[1] // 16), p=chances)
    semantic = cells.repeat(16, axis=0).repeat(16, axis=1).astype(np.uint8)
    return Sample("scene", np.stack([semantic] * 3, axis=-1), semantic, None)


def split(seed: int, images: int = 12) -> Split:
    rng = np.random.default_rng(seed)
    return Split([scene(rng) for _ in range(images)])


def test_features_that_name_the_class_are_right_everywhere() -> None:
    assert set(probe(Given(telling), split(0), split(1), CLASSES).values()) == {100.0}


def test_noise_is_right_about_as_often_as_the_commonest_class_occurs() -> None:
    found = probe(Given(noise), split(0, 60), split(1, 60), CLASSES)
    assert found["linear accuracy"] == pytest.approx(60, abs=4)
    assert found["linear mIoU"] == pytest.approx(20, abs=3)
    assert 45 < found["k-NN accuracy"] < 64
    assert found["k-NN mIoU"] < 35


def test_the_same_numbers_again() -> None:
    once, again = (probe(Given(noise), split(0), split(1), CLASSES) for _ in range(2))
    assert once == again


def test_void_cells_are_neither_learned_from_nor_counted() -> None:
    def with_void(seed: int) -> Split:
        samples = split(seed).samples
        for sample in samples:
            sample.semantic[:, :32] = VOID
            sample.image[:, :32] = 1
        return Split(samples)

    def lies_on_the_left(red: Tensor) -> Tensor:
        features = telling(red)
        features[..., :2, :] = 1 - features[..., :2, :]
        return features

    encoder = Given(lies_on_the_left)
    assert set(probe(encoder, with_void(0), with_void(1), CLASSES).values()) == {100.0}
    assert min(probe(encoder, split(0), split(1), CLASSES).values()) < 100


def test_classes_that_are_neither_there_nor_predicted_are_left_out_of_the_mean() -> None:
    rng = np.random.default_rng(2)
    val = Split([scene(rng, (0.5, 0.5, 0.0)) for _ in range(3)])
    assert probe(Given(telling), split(0), val, CLASSES)["linear mIoU"] == 100


@pytest.mark.parametrize(
    ("strides", "asked"), [((4, 8, 16, 32), (16,)), ((8, 32), (8,)), ((4, 32), (32,)), ((16,), (16,))]
)
def test_the_map_at_stride_16_or_the_nearest(strides: tuple[int, ...], asked: tuple[int, ...]) -> None:
    encoder = Given(telling, strides)
    probe(encoder, split(0, 2), split(1, 2), CLASSES)
    assert encoder.asked == {asked}


def test_the_encoder_is_left_in_its_mode() -> None:
    encoder = Given(telling).train()
    probe(encoder, split(0, 2), split(1, 2), CLASSES)
    assert encoder.training


def test_a_cell_is_what_most_of_its_pixels_are() -> None:
    semantic = np.array(
        [
            [0, 0, 1, 1, VOID, VOID, 2, 2],
            [0, 1, 1, 0, VOID, 2, VOID, 1],
        ],
        np.uint8,
    )
    assert majority_classes(semantic, 2, CLASSES).tolist() == [[0, 1, VOID, 2]]
    assert majority_classes(np.array([[1, 1], [0, 0]], np.uint8), 2, CLASSES).tolist() == [[0]]


def test_what_is_missing_is_said() -> None:
    rng = np.random.default_rng(0)
    unlabelled = Split([Sample("lost", scene(rng).image, None, None)])
    with pytest.raises(TrainingError, match="val: image 'lost' has no labels of classes"):
        probe(Given(telling), split(0), unlabelled, CLASSES)
    void = Split([Sample("void", scene(rng).image, np.full(SIZE, VOID, np.uint8), None)])
    with pytest.raises(TrainingError, match="train: no labelled cell in 1 images"):
        probe(Given(telling), void, split(1), CLASSES)


def test_every_image_gives_its_share_of_cells() -> None:
    found = read_cells(Given(telling), split(0, 10), 4, 50, CLASSES, "train")
    assert found.features.shape == (48, CLASSES)  # 12 of the 24 cells of 4 images
    assert torch.equal(found.features.argmax(dim=1), found.classes)
    assert len(read_cells(Given(telling), split(0, 2), 4, 50, CLASSES, "train").classes) == 48
