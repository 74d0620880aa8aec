"""How well each image was segmented before: a plain table, from which hard images are drawn more often."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from vfm_fusion.atomic import atomic_path
from vfm_fusion.config.paths import expand
from vfm_fusion.errors import TrainingError

COLUMNS = ("image_id", "score")


def write_scores(scores: Mapping[str, float], path: Path) -> None:
    """Writes scores of images by id as CSV; floats in their shortest exact form."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(scores.items()))


def scores_file(key: str, configured: str) -> Path:
    """Returns the path of a table of scores, which is there and is one; whose images it has is not asked.

    Args:
        key: path of the setting, for the message.
        configured: the path as configured, with environment variables.

    Raises:
        TrainingError: an environment variable is unset, there is no such file, or see :func:`read_scores`.
    """
    path = expand(configured, key, TrainingError)
    if not path.is_file():
        raise TrainingError(
            f"{key}: no table at {path}; correct the path, make the table of the released file by `python -m "
            "vfm_fusion scores` (docs/interactive.md), or leave it out: all images are then drawn alike"
        )
    _table(path)
    return path


def read_scores(path: Path, ids: Sequence[str]) -> list[float]:
    """Reads the scores of images; those of other images are passed over.

    Args:
        path: a CSV with the columns :data:`COLUMNS`, scores being IoUs in [0, 1].
        ids: the images.

    Returns:
        Scores in the order of ``ids``, as :class:`~vfm_fusion.interactive.click_task.ClickTask` takes them.

    Raises:
        TrainingError: no such file, no such table, a score that is no IoU, an image with two scores, or one
            of ``ids`` without any.
    """
    scores = _table(path)
    absent = [each for each in ids if each not in scores]
    if absent:
        raise TrainingError(
            f"{path}: lacks the scores of {len(absent)} of {len(ids)} images, the first {absent[0]!r}; has "
            f"those of {len(scores)}, such as {min(scores, default='none')!r}. Give each image a score, or "
            "train without scores"
        )
    return [scores[each] for each in ids]


def _table(path: Path) -> dict[str, float]:
    scores: dict[str, float] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise TrainingError(
                    f"{path}: expected the columns {list(COLUMNS)}, found {rows.fieldnames}; write the table "
                    "so, or by `python -m vfm_fusion scores` from the released file"
                )
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if row["image_id"] in scores:
                    raise TrainingError(f"{where}: a second score of {row['image_id']!r}; leave one of them")
                scores[row["image_id"]] = _score(row["score"], where)
    except OSError as error:
        raise TrainingError(f"{path}: scores of images cannot be read ({error}); correct the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(
            f"{path}: is no table of text ({error}); a released file becomes one by `python -m vfm_fusion "
            "scores`"
        ) from error
    return scores


def _score(text: str | None, where: str) -> float:
    try:
        score = float(text or "")
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:  # also refuses NaN
        raise TrainingError(f"{where}: a score must be an IoU in [0, 1], found {text!r}; correct it")
    return score
