"""What other definitions would choose, told only where the chosen peak does not clear its null."""

from __future__ import annotations

import pandas as pd
import pytest

from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.selection.other_definitions import other_choices
from vfm_fusion.selection.select import select

STRIDES = (4, 8, 16)
Means = tuple[float, ...]


def profile(definition: str, sc: Means, ef: Means, null: float | None = 5.0) -> pd.DataFrame:
    """A profile with intervals of no width and the same null of EF at every stride."""
    values = {"sc": sc, "ef": ef}
    if null is not None:
        values |= {"ef_null": (null,) * 3, "ef_excess": tuple(value - null for value in ef)}
    rows = [
        (definition, stride, score, value, value)
        for score, means in values.items()
        for stride, value in zip(STRIDES, means, strict=True)
    ]
    return pd.DataFrame(rows, columns=["definition", "stride", "score", "mean", "ci_low"])


def two(definition: str, peak: float, at: int, null: float | None = 5.0, *, turned: bool = False) -> dict:
    """Encoder a has the higher SC, b the higher EF with a peak; the other way round where turned."""
    ef = tuple(peak if stride == at else 2.0 for stride in STRIDES)
    of = [profile(definition, (0.9,) * 3, (1.0,) * 3, null), profile(definition, (0.1,) * 3, ef, null)]
    return dict(zip("ab", of[::-1] if turned else of, strict=True))


def told(*definitions: dict, **settings: str) -> list[str]:
    summaries = {name: pd.concat([of[name] for of in definitions]) for name in "ab"}
    selection = select(summaries, "data", SelectionConfig(definition="paper", **settings))
    return other_choices(selection, summaries)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            two("ours", 9.0, 8),
            "Definition 'ours' would choose the same pair, injected at OS 8: EF peaks there with 9, which "
            "clears the null floor of 5.",
        ),
        (
            two("ours", 4.0, 4, turned=True),
            "Definition 'ours' would choose b as master and a as auxiliary, injected at OS 4: EF peaks there "
            "with 4, which does not clear the null floor of 5.",
        ),
        (
            two("ours", 9.0, 8, null=None),
            "Definition 'ours' would choose the same pair, injected at OS 8: EF peaks there with 9, and no "
            "null floor is known.",
        ),
        (
            {name: profile("ours", (0.5,) * 3, (float("nan"),) * 3) for name in "ab"},
            "Definition 'ours' can choose nothing: a: Edge Fidelity is undefined at every stride, so the "
            "encoder cannot be ranked; see the reasons in its profile (a finer map or a smaller "
            "metrics.definitions.*.grid may help).",
        ),
    ],
)
def test_each_other_definition_is_told_where_the_peak_does_not_clear_its_null(other: dict, said: str) -> None:
    assert told(two("paper", 3.0, 16), other) == [said]


@pytest.mark.parametrize("null", [1.0, None])
def test_nothing_is_told_where_the_peak_clears_its_null_or_none_is_known(null: float | None) -> None:
    assert told(two("paper", 3.0, 16, null), two("ours", 9.0, 8)) == []


def test_it_is_the_score_that_sets_the_stride_that_counts() -> None:
    """SC has no null here, so nothing is known to fail."""
    assert told(two("paper", 3.0, 16), two("ours", 9.0, 8), stride_by="sc") == []
