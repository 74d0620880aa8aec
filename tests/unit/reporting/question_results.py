"""What the answers to the research questions rest on, built from given values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import stride_results as sweeps

from vfm_fusion.reporting.image_scores import MEASURES
from vfm_fusion.reporting.questions.answer import Answer
from vfm_fusion.reporting.questions.evidence import FINETUNED, PER_CLASS, SUPERVISED, Evidence
from vfm_fusion.reporting.verdicts import Outcome

DINO, SAM = sweeps.DINO, sweeps.SAM
CLASSES = {"boundary-sensitive": ("person", "rider"), "large": ("car", "bus")}
EMPTY = {
    name: pd.DataFrame(columns=list(columns))
    for name, columns in (("per_class", PER_CLASS), ("supervised", SUPERVISED), ("finetuned", FINETUNED))
}
ALONE = (("dino-fz", DINO, False), ("sam-fz", SAM, False), ("dino-ft", DINO, True), ("sam-ft", SAM, True))


def evidence(evaluations: Sequence[Mapping[str, Any]], seeds: int = 3, **changes: Any) -> Evidence:
    tables = {name: changes.pop(name, frame) for name, frame in EMPTY.items()}
    return Evidence(sweep=sweeps.collected(evaluations, range(seeds), **changes), **tables)


def texts(answer: Answer) -> list[str]:
    return [finding.text for finding in answer.findings]


def outcomes(answer: Answer) -> list[Outcome]:
    return answer.outcomes


def per_class(of: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> pd.DataFrame:
    """Run -> means over boundary-rich and over large classes by seed; the two classes of each differ by 2."""
    return pd.DataFrame(
        [
            {"class": name, "group": group, "run": run, "seed": seed, "metric": "AP", "value": value + offset}
            for run, levels in of.items()
            for (group, names), values in zip(CLASSES.items(), levels, strict=True)
            for name, offset in zip(names, (-1.0, 1.0), strict=True)
            for seed, value in enumerate(values)
        ]
    )


def everyone(seeds: int) -> list[dict[str, Any]]:
    """Both encoders alone, frozen and fine-tuned, and both directions of the pair at the selected strides."""
    ap = [30.0] * seeds
    singles = [e for run, encoder, trained in ALONE for e in sweeps.alone(run, encoder, trained, ap)]
    return [*singles, *sweeps.sweep("a", {16: ap}), *sweeps.sweep("c", {32: ap})]


def changes(
    run: str, encoder: str, before: Mapping[int, float], after: Mapping[int, float], half: float = 0.5
) -> pd.DataFrame:
    """EF before and after, both intervals of the difference +-``half``; SC falls by 0.1 everywhere."""
    rows = []
    for stride in before:
        who = {"run": run, "role": "master", "encoder": encoder, "definition": "paper", "stride": stride}
        for score, (first, second, width) in {
            "ef": (before[stride], after[stride], half),
            "sc": (0.6, 0.5, 0.05),
        }.items():
            ends = {"ci_low": second - first - width, "ci_high": second - first + width}
            ends |= {"seed_low": ends["ci_low"], "seed_high": ends["ci_high"], "seeds": 3, "images": 80}
            rows.append(who | {"score": score, "before": first, "after": second} | ends)
    return pd.DataFrame(rows)


HIT = {4: 30.0, 8: 31.0, 16: 33.0, 32: 29.0}
MISS = {4: 30.0, 8: 31.0, 16: 33.0, 32: 32.5}  # EF of the auxiliary of C and D suggests OS 32
LEVELS = {
    "dino-fz": ([10.0, 10.1, 10.2], [30.0, 30.1, 30.2]),
    "sam-fz": ([15.0, 15.2, 15.1], [28.0, 28.1, 28.3]),
    "dino-ft": ([20.0, 20.1, 20.2], [35.0, 35.2, 35.1]),
    "sam-ft": ([22.0, 22.1, 22.2], [36.0, 36.1, 36.0]),
    "a-os16": ([24.0, 24.1, 24.3], [36.0, 36.1, 36.2]),
    "c-os32": ([22.5, 22.6, 22.7], [38.0, 38.3, 38.1]),
}


def sweeps_of(a: Mapping[int, Sequence[float]], c: Mapping[int, Sequence[float]]) -> list[dict[str, Any]]:
    return [*sweeps.sweep("a", a), *sweeps.sweep("c", c)]


def supervised(sc: Sequence[float], classes_: Sequence[float], objects: Sequence[float]) -> pd.DataFrame:
    of = {"sc": sc, "semantic": classes_, "instance": objects}
    return pd.DataFrame(
        [
            {"encoder": f"e{index}", "measure": MEASURES[kind], "statistic": "mean", "value": value}
            | {"n": 80}
            for kind, values in of.items()
            for index, value in enumerate(values)
        ]
    )
