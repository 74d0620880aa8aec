"""``predictions.h5``: what is written is read back, and what is damaged is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from vfm_fusion.errors import PredictionError
from vfm_fusion.evaluation.predictions import reading_predictions, writing_predictions
from vfm_fusion.evaluation.rle import encode_predictions
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction, Segment

RUN = {"run": "fused", "seed": 3, "categories": [{"id": 0, "name": "bär"}]}
SIZE = (60, 90)


def prediction(seed: int, objects: int = 5) -> Prediction:
    rng = np.random.default_rng(seed)
    masks = rng.random((objects, *SIZE)) < 0.3
    scores = np.sort(rng.random(objects)).astype(np.float32)[::-1]
    panoptic = rng.integers(0, 4, SIZE).astype(np.int32)
    segments = tuple(Segment(k, int(rng.integers(0, 3)), bool(k % 2)) for k in (1, 2, 3))
    semantic = rng.integers(0, 19, SIZE).astype(np.uint8)
    return Prediction(
        semantic, PredictedInstances(masks, rng.integers(0, 3, objects), scores), panoptic, segments
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.h5"
    with writing_predictions(path, RUN) as writer:
        for seed, image_id in enumerate(("a", "b/ü")):
            writer.add(image_id, prediction(seed))
        writer.add("semantic", Prediction(prediction(2).semantic, None, None, None))
        writer.add("instance", Prediction(None, prediction(2).instances, None, None))
        writer.add("empty", prediction(3, objects=0))
    return path


def test_everything_is_read_back(written: Path) -> None:
    with reading_predictions(written) as reader:
        assert reader.ids == ("a", "b/ü", "semantic", "instance", "empty")
        assert reader.run == RUN
        for seed, image_id in enumerate(("a", "b/ü")):
            expected, found = prediction(seed), reader.read(image_id)
            np.testing.assert_array_equal(found.semantic, expected.semantic)
            np.testing.assert_array_equal(found.panoptic, expected.panoptic)
            assert found.segments.tolist() == [(s.id, s.category, s.isthing) for s in expected.segments]
            encoded = encode_predictions(expected.instances)
            assert found.instances.rles == encoded.rles
            for name in ("areas", "categories", "crowd", "scores"):
                np.testing.assert_array_equal(getattr(found.instances, name), getattr(encoded, name))
        semantic = reader.read("semantic")
        assert semantic.panoptic is semantic.segments is semantic.instances is None
        np.testing.assert_array_equal(semantic.semantic, prediction(2).semantic)
        objects = reader.read("instance")
        assert objects.semantic is objects.panoptic is objects.segments is None
        assert objects.instances.rles == encode_predictions(prediction(2).instances).rles
        assert len(reader.read("empty").instances.rles) == 0
        with pytest.raises(PredictionError, match="no prediction for image 'd' among 5; predict again"):
            reader.read("d")


def test_a_truncated_file_is_refused(written: Path) -> None:
    content = written.read_bytes()
    for share in (0, 0.2, 0.6, 0.99):
        written.write_bytes(content[: int(share * len(content))])
        with (
            pytest.raises(PredictionError, match=r"predictions\.h5: not a complete prediction file"),
            reading_predictions(written),
        ):
            pass


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(PredictionError, match=r"absent\.h5: not a complete"),
        reading_predictions(tmp_path / "absent.h5"),
    ):
        pass
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with (
        pytest.raises(PredictionError, match=r"other.h5: its list of images cannot be read.*predict again"),
        reading_predictions(tmp_path / "other.h5"),
    ):
        pass


@pytest.mark.parametrize("name", ["semantic", "panoptic", "segments", "instances", "size", "codes"])
def test_a_flipped_byte_in_any_array_is_noticed(written: Path, name: str) -> None:
    with h5py.File(written, "r") as file:
        chunk = file[f"images/1/{name}"].id.get_chunk_info(0)
    content = bytearray(written.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 0x10
    written.write_bytes(content)
    with reading_predictions(written) as reader:
        reader.read("a")
        with pytest.raises(PredictionError, match=r"image 'b/ü' cannot be read .* delete the file"):
            reader.read("b/ü")


def test_codes_that_do_not_fit_their_table_are_noticed(written: Path) -> None:
    with h5py.File(written, "r+") as file:
        codes = file["images/0/codes"][:-3]
        del file["images/0/codes"]
        file["images/0/codes"] = codes
    with reading_predictions(written) as reader, pytest.raises(PredictionError, match="the table says"):
        reader.read("a")


def test_an_error_while_writing_leaves_the_previous_predictions(tmp_path: Path) -> None:
    path = tmp_path / "predictions.h5"
    path.write_bytes(b"previous")
    with pytest.raises(RuntimeError, match="stop"), writing_predictions(path, RUN):
        raise RuntimeError("stop")
    assert path.read_bytes() == b"previous"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
