"""COCO's annotation files are read piece by piece, and say what is wrong with them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_coco import annotation, instances_json, listed, write_json

from vfm_fusion.datasets.readers.coco_json import (
    AnnotationFile,
    JsonSections,
    ListedImage,
    annotation_file,
)
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

TEXT = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4), st.sampled_from([None, 0, 2]), st.booleans())
def test_any_object_is_read_as_json_reads_it(
    tmp_path_factory: pytest.TempPathFactory, content: dict, indent: int | None, escaped: bool
) -> None:
    path = tmp_path_factory.mktemp("json") / "file.json"
    data = json.dumps(content, indent=indent, ensure_ascii=escaped).encode()
    path.write_bytes(data)
    sections = JsonSections(path)
    for key, value in zip(sections, content.values(), strict=True):
        assert isinstance(key, str)
        if isinstance(value, list):
            found = [data[start:end] for _, start, end in sections.elements()]
            assert [json.loads(element) for element in found] == value
        else:
            assert sections.value() == value


@pytest.mark.parametrize(
    "text", ["", " ", "[]", "{", '{"a"', '{"a":', '{"a": [1', '{"a": [1,]}', '{"a": 1 "b": 2}']
)
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(CorruptImageError, match=r"broken\.json: not a COCO annotation file"):
        AnnotationFile(path)


def test_annotations_come_by_image_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = instances_json()
    content["annotations"] = [annotation(k, 7 + 2 * (k % 2), 1, [[k]]) for k in (5, 2, 9, 4, 3)]
    write_json(tmp_path / "a.json", content)
    file = AnnotationFile(tmp_path / "a.json")
    assert [row["id"] for row in file.annotations(7)] == [2, 4]
    assert [row["id"] for row in file.annotations(9)] == [5, 9, 3]
    assert file.annotations(8) == []
    assert file.images == {"000000000007.jpg": 7, "000000000009.jpg": 9}
    assert file.image("000000000009.jpg") == ListedImage(9, 6, 8)


def test_names_may_be_any_text(tmp_path: Path) -> None:
    content = instances_json()
    content["images"][0]["file_name"] = "straße [7].jpg"
    content["annotations"][2]["note"] = 'über "alles" \\ ]}'
    write_json(tmp_path / "a.json", content)
    file = AnnotationFile(tmp_path / "a.json")
    assert file.image("straße [7].jpg").id == 7
    assert file.annotations(7) == content["annotations"]


def test_it_is_parsed_once_by_many_threads_and_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_json(path, instances_json())
    parsed = []
    read = AnnotationFile._read
    monkeypatch.setattr(AnnotationFile, "_read", lambda self: parsed.append(1) or read(self))
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda _: annotation_file(path), range(32)))
        rows = list(pool.map(lambda file: len(file.annotations(7)), files))
    assert len(set(map(id, files))) == len(parsed) == 1
    assert rows == [4] * 32
    content = instances_json()
    content["annotations"].pop()
    write_json(path, content)
    assert len(annotation_file(path).annotations(7)) == 3
    assert len(parsed) == 2


@pytest.mark.parametrize(
    ("key", "row", "message"),
    [
        ("images", listed(7, file_name="other.jpg"), "image id 7 occurs twice"),
        ("images", listed(8, file_name="000000000007.jpg"), r"image 000000000007\.jpg is listed twice"),
        ("annotations", annotation(30, 9, 1, []), "annotation id 30 occurs twice"),
        (
            "annotations",
            annotation(1, 8, 1, []),
            "an annotation is of image id 8, which the file does not list",
        ),
    ],
)
def test_contradictions_are_named(tmp_path: Path, key: str, row: dict, message: str) -> None:
    content = instances_json()
    content[key].append(row)
    write_json(tmp_path / "bad.json", content)
    with pytest.raises(LabelError, match=rf"bad\.json: {message}"):
        AnnotationFile(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("images", []),
        ("images", 3),
        ("annotations", {"id": 1}),
        ("categories", None),
    ],
)
def test_sections_that_are_no_lists_of_something_are_refused(tmp_path: Path, key: str, rows: object) -> None:
    write_json(tmp_path / "bad.json", {**instances_json(), key: rows})
    with pytest.raises(CorruptImageError, match=r"bad\.json: not a COCO annotation file"):
        AnnotationFile(tmp_path / "bad.json")


def test_a_missing_file_and_a_missing_image(tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"gone\.json: no such file"):
        annotation_file(tmp_path / "gone.json")
    write_json(tmp_path / "a.json", instances_json())
    with pytest.raises(DatasetLayoutError, match=r"a\.json: image other\.jpg is not listed"):
        annotation_file(tmp_path / "a.json").image("other.jpg")


def test_other_classes_are_refused(tmp_path: Path) -> None:
    content = instances_json()
    content["categories"][0] = {"id": 1, "name": "screw"}
    write_json(tmp_path / "a.json", content)
    with pytest.raises(LabelError, match=r"a\.json: lists class 1 'screw', but COCO's table has 'person'"):
        AnnotationFile(tmp_path / "a.json").check_categories({1: "person"})
