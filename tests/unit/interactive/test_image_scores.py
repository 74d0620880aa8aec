"""Scores of images: the table that training reads, and the released pickle that becomes one unexecuted."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from vfm_fusion.__main__ import main
from vfm_fusion.errors import TrainingError
from vfm_fusion.interactive.image_scores import read_scores, write_scores
from vfm_fusion.interactive.released_scores import released_scores

SCORES = {"2008_000002": np.float32(0.9743047), "2008_000008": np.float32(0.0), "NA": np.float32(1.0)}


def released(path: Path, entries: object, numpy: str = "core") -> Path:
    """Writes a pickle as the released one is: protocol 3, by an old or a new NumPy."""
    content = pickle.dumps(entries, protocol=3)
    if numpy == "core":
        content = content.replace(b"numpy._core.", b"numpy.core.").replace(b"\x89\x88\x87", b"K\0K\1\x87")
    path.write_bytes(content)
    return path


class Harmful:
    """Makes a folder where its pickle is executed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("numpy", ["core", "_core"])
@pytest.mark.parametrize("count", [0, 1, 2498])
def test_the_released_file_becomes_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], numpy: str, count: int
) -> None:
    scores = {f"{n:04}": np.float32(n / count) for n in range(count)} | SCORES
    entries = [(number, *entry) for number, entry in enumerate(scores.items())]
    source, table = released(tmp_path / "weights.pkl", entries, numpy), tmp_path / "scores.csv"
    assert main(["scores", str(source), str(table)]) == 0
    assert f"{count + 3} images with scores from 0.000 to 1.000" in capsys.readouterr().out
    assert table.read_text().splitlines()[0] == "image_id,score"
    found = read_scores(table, list(scores))
    assert np.array_equal(np.float32(found), np.array(list(scores.values())))
    assert read_scores(table, ["NA", "2008_000008"]) == [1.0, 0.0]


def test_a_pickle_is_never_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, source = tmp_path / "harm", tmp_path / "weights.pkl"
    source.write_bytes(pickle.dumps([(0, "a", Harmful(folder))], protocol=3))
    assert main(["scores", str(source), str(tmp_path / "scores.csv")]) == 1
    assert "found the instruction GLOBAL 'posix mkdir' at byte" in capsys.readouterr().err
    assert not folder.exists()
    assert not (tmp_path / "scores.csv").exists()
    pickle.loads(source.read_bytes())
    assert folder.exists()


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ({"a": 0.5}, "the instruction EMPTY_DICT at byte 2"),
        ([], "an empty list"),
        ("a", "the entry 'a' after 0 others"),
        ([(0, "a", np.float64(0.5))], "numpy dtype of ('f8', 0, 1)"),
        ([(0, "a", np.float32(0.5)), (1, "a", np.float32(0.5))], "the entry (1, 'a', 0.5) after 1 others"),
        ([(0, "a", np.float32(1.5))], "the entry (0, 'a', 1.5) after 0 others"),
        ([(0, "a", np.float32("nan"))], "the entry (0, 'a', nan) after 0 others"),
        ([("a", np.float32(0.5))], "the entry ('a', 0.5) after 0 others"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, entries: object, found: str) -> None:
    source = released(tmp_path / "weights.pkl", entries)
    with pytest.raises(TrainingError, match=rf"weights\.pkl: expected a list of .*{re.escape(found)}"):
        released_scores(source)


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    source = released(tmp_path / "weights.pkl", [(0, "a", np.float32(0.5))])
    whole = source.read_bytes()
    for damaged in (whole[:-1], whole[:40], b"", b"image_id,score\n", whole[:2] + b"." + whole[2:]):
        source.write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"weights\.pkl: expected a list of"):
            released_scores(source)
    with pytest.raises(TrainingError, match=r"absent\.pkl: cannot be read"):
        released_scores(tmp_path / "absent.pkl")


def test_an_image_without_score_is_named(tmp_path: Path) -> None:
    write_scores(SCORES, tmp_path / "scores.csv")
    with pytest.raises(
        TrainingError, match=r"lacks the scores of 2 of 3 images, the first 'b'; has those of 3"
    ):
        read_scores(tmp_path / "scores.csv", ["NA", "b", "c"])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("image_id,score\na,0.5\nb,good\n", "line 3: a score must be an IoU .* found 'good'"),
        ("image_id,score\na,nan\n", "line 2: a score .* found 'nan'"),
        ("image_id,score\na,1.01\n", "line 2: a score .* found '1.01'"),
        ("image_id,score\na\n", "line 2: a score .* found None"),
        ("image_id,score\na,0.5\na,0.5\n", "line 3: a second score of 'a'"),
        ("image,score\na,0.5\n", r"found \['image', 'score'\]"),
        ("", "found None"),
    ],
)
def test_odd_tables_are_refused(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(TrainingError, match=rf"scores\.csv.*{error}"):
        read_scores(path, ["a"])


def test_the_pickle_in_place_of_the_table_is_refused(tmp_path: Path) -> None:
    source = released(tmp_path / "weights.pkl", [(0, "a", np.float32(0.9743047))])
    with pytest.raises(TrainingError, match=r"is no table of text .*vfm_fusion scores"):
        read_scores(source, ["a"])
    with pytest.raises(TrainingError, match=r"absent\.csv: scores of images cannot be read"):
        read_scores(tmp_path / "absent.csv", ["a"])
