"""Tables of the clicks of a data set, and its scores: NoC, NoF, IoU by clicks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.errors import ConfigError
from vfm_fusion.interactive.click_protocol import ClickedResult

CASES = ("equal_errors", "no_error_left", "all_clicked")
"""Special cases that are counted; see :data:`~vfm_fusion.interactive.click_robot.Case`."""


def click_table(results: Sequence[ClickedResult]) -> pd.DataFrame:
    """Lists every round of every object.

    Returns:
        One row a round: ``image_id``, ``object``, ``click`` (from 1), ``row``, ``col`` (Int32, missing
        without click), ``positive`` (boolean, likewise), ``iou`` in [0, 1], ``carried``, ``case``.
    """
    columns = ["image_id", "object", "click", "row", "col", "positive", "iou", "carried", "case"]
    rows = []
    for result in results:
        for number, each in enumerate(result.rounds, start=1):
            click, case = each.placement
            clicked = (result.image_id, result.number, number, *(click or [pd.NA] * 3))
            rows.append((*clicked, each.iou, each.carried, case))
    types = {"object": "int32", "click": "int32", "row": "Int32", "col": "Int32", "positive": "boolean"}
    return pd.DataFrame(rows, columns=columns).astype(
        {"image_id": "str", **types, "iou": "float64", "carried": "bool", "case": "str"}
    )


def object_table(results: Sequence[ClickedResult], config: ClickProtocolConfig) -> pd.DataFrame:
    """Scores every object.

    Returns:
        One row an object: ``image_id``, ``object``, ``area`` in pixels, ``NoC@t`` (Int32) and ``reached@t``
        (boolean) for each target t in percent, ``IoU@1``, ``final_IoU``, ``boundary_IoU`` in [0, 1],
        ``carried`` rounds, rounds of each of :data:`CASES`, and ``undefined``, the reason for which an object
        has no scores.
    """
    rows = []
    for result in results:
        row = {"image_id": result.image_id, "object": result.number, "area": result.area}
        for target in config.targets:
            row |= dict(zip(target_names(target)[:2], clicks_to(result.ious, target, config), strict=True))
        ends = (result.ious[0], result.ious[-1]) if result.rounds else (np.nan, np.nan)
        row |= dict(zip(("IoU@1", "final_IoU"), ends, strict=True)) | {"boundary_IoU": result.boundary_iou}
        row |= {"carried": sum(each.carried for each in result.rounds)}
        row |= {case: sum(each.placement.case == case for each in result.rounds) for case in CASES}
        rows.append(row | {"undefined": result.undefined})
    names = [target_names(target) for target in config.targets]
    types = {noc: "Int32" for noc, *_ in names} | {reached: "boolean" for _, reached, *_ in names}
    columns = ["image_id", "object", "area", *types, "IoU@1", "final_IoU", "boundary_IoU", "carried", *CASES]
    return pd.DataFrame(rows, columns=[*columns, "undefined"]).astype(types)


def target_names(target: float) -> tuple[str, str, str, str]:
    """Returns the names of NoC, of whether it was reached, of NoF and of the strict NoF.

    >>> target_names(0.9)
    ('NoC@90', 'reached@90', 'NoF@90', 'strict_NoF@90')
    """
    percent = f"{100 * target:g}"
    return f"NoC@{percent}", f"reached@{percent}", f"NoF@{percent}", f"strict_NoF@{percent}"


def clicks_to(ious: np.ndarray, target: float, config: ClickProtocolConfig) -> tuple[object, object]:
    """Counts the clicks to an IoU.

    Args:
        ious: IoU after each click; none for an undefined object.
        target: the IoU.
        config: the protocol.

    Returns:
        The number of the first click with an IoU of at least ``target``, all clicks where there is none; and
        whether there is one. Both missing for an undefined object.
    """
    if not len(ious):
        return pd.NA, pd.NA
    reached = np.flatnonzero(ious >= target)
    return (int(reached[0]) + 1, True) if len(reached) else (config.max_clicks, False)


def click_scores(
    rounds: pd.DataFrame, objects: pd.DataFrame, config: ClickProtocolConfig
) -> dict[str, float]:
    """Scores a data set by its tables; undefined objects are counted and left out.

    Args:
        rounds: all of :func:`click_table`.
        objects: all of :func:`object_table`.
        config: the protocol.

    Returns:
        ``objects`` and ``undefined``, counts. Then for each target t in percent ``NoC@t``, the mean of
        clicks; ``NoF@t``, the objects that took all clicks; ``strict_NoF@t``, those that never reached it.
        ``mIoU@k``, the mean IoU after k clicks in percent; ``IoU@1``, the same as ``mIoU@1`` under its usual
        name (SegNext's "5-mIoU" is ``mIoU@5``); ``boundary_IoU`` of the last masks in percent; ``carried``
        and :data:`CASES`, counts of rounds. Means are NaN without a defined object.
    """
    defined = objects[objects["undefined"] == ""]
    scores: dict[str, float] = {"objects": len(defined), "undefined": len(objects) - len(defined)}
    for target in config.targets:
        noc, reached, nof, strict = target_names(target)
        scores[noc] = float(defined[noc].astype("float64").mean())
        scores[nof] = int((defined[noc] == config.max_clicks).sum())
        scores[strict] = int((~defined[reached]).sum())
    means = 100 * rounds.groupby("click")["iou"].mean().reindex(range(1, config.max_clicks + 1))
    scores["IoU@1"] = float(means[1])
    scores |= {f"mIoU@{click}": float(mean) for click, mean in means.items()}
    scores["boundary_IoU"] = float(100 * defined["boundary_IoU"].mean())
    return scores | {name: int(defined[name].sum()) for name in ("carried", *CASES)}


def timing_table(results: Sequence[ClickedResult]) -> pd.DataFrame:
    """Lists what every prediction took; the mean of ``seconds`` is the data set's seconds per click.

    Times differ from run to run, so they are kept apart from the results.

    Returns:
        One row a prediction: ``image_id``, ``object``, ``click`` and ``seconds``.
    """
    rows = [
        (result.image_id, result.number, number, each.seconds)
        for result in results
        for number, each in enumerate(result.rounds, start=1)
        if not each.carried
    ]
    return pd.DataFrame(rows, columns=["image_id", "object", "click", "seconds"])


def iou_auc(ious: np.ndarray) -> float:
    """Returns the area under the curve of IoU against clicks, over its length: in [0, 1], NaN undefined.

    Raises:
        ConfigError: there is one click only, and no curve.
    """
    if len(ious) == 1:
        raise ConfigError("max_clicks 1: a curve of IoU against clicks takes at least 2")
    return float(np.trapezoid(ious) / (len(ious) - 1)) if len(ious) else float("nan")
