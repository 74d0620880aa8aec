"""No verdict is stronger than its evidence: the rule itself, and the questions that use it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import stride_results as sweeps
from hypothesis import given, settings
from hypothesis import strategies as st
from question_results import DINO, LEVELS, SAM, changes, everyone, evidence, per_class

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.questions import classes, finetuning, profiles, strides
from vfm_fusion.reporting.questions.answer import Answer
from vfm_fusion.reporting.verdicts import (
    MIN_IMAGES,
    MIN_SEEDS,
    MIN_SETTINGS,
    MIRRORED,
    STRENGTH,
    Outcome,
    every,
    judged,
    part,
    weigh,
)


@dataclass(frozen=True)
class Shown:
    """What a part of a test shows, and on how much."""

    sign: int | None
    seeds: int | None
    images: int | None
    settings: int | None

    @property
    def outcome(self) -> Outcome:
        return part(self.sign, seeds=self.seeds, images=self.images, settings=self.settings)

    def less(self) -> list[Shown]:
        """The same with a seed, image or pair less, with an interval that reaches zero, and not made."""
        fewer = [replace(self, sign=None)]
        fewer += [] if self.sign is None else [replace(self, sign=0)]
        fewer += [replace(self, seeds=self.seeds - 1)] if self.seeds else []
        fewer += [replace(self, images=self.images - 1)] if self.images else []
        fewer += [replace(self, settings=self.settings - 1)] if self.settings else []
        return fewer

    def mirrored(self) -> Shown:
        return self if self.sign is None else replace(self, sign=-self.sign)


SHOWN = st.builds(
    Shown,
    st.sampled_from([1, 1, -1, 0, None]),
    st.sampled_from([None, 1, MIN_SEEDS, 5]),
    st.sampled_from([None, 1, MIN_IMAGES - 1, MIN_IMAGES, 80]),
    st.sampled_from([None, 1, MIN_SETTINGS - 1, MIN_SETTINGS, 20]),
)
TEST = st.lists(SHOWN, min_size=1, max_size=5)
QUESTION = st.lists(TEST, min_size=1, max_size=4)
SIDES = {"agrees": 1, "mostly agrees": 1, "opposite": -1, "mostly opposite": -1}


def answer(tests: list[list[Shown]]) -> Outcome:
    return weigh([weigh([shown.outcome for shown in test]) for test in tests])


def is_no_stronger(less: Outcome, more: Outcome) -> bool:
    """Less strength; and a side only where the other has it too."""
    return STRENGTH[less] <= STRENGTH[more] and SIDES.get(less, 0) in (0, SIDES.get(more, 0))


class TestRule:
    @given(QUESTION, st.data())
    def test_less_evidence_never_strengthens(self, tests: list[list[Shown]], data: st.DataObject) -> None:
        where = data.draw(st.integers(0, len(tests) - 1))
        which = data.draw(st.integers(0, len(tests[where]) - 1))
        for less in tests[where][which].less():
            changed = [list(test) for test in tests]
            changed[where][which] = less
            assert is_no_stronger(answer(changed), answer(tests))
            claims = [every([shown.outcome for shown in of[where]]) for of in (changed, tests)]
            assert is_no_stronger(*claims)

    @given(QUESTION)
    def test_mirrored_evidence_gives_the_mirrored_verdict(self, tests: list[list[Shown]]) -> None:
        mirrored = [[shown.mirrored() for shown in test] for test in tests]
        found = answer(tests)
        assert answer(mirrored) == MIRRORED.get(found, found)

    @given(TEST, st.integers(1, 5))
    def test_what_could_not_be_made_counts_for_no_side(self, test: list[Shown], missing: int) -> None:
        parts: list[Outcome] = [shown.outcome for shown in test]
        more = weigh([*parts, *["missing"] * missing])  # type: ignore[list-item]
        assert is_no_stronger(more, weigh(parts))
        assert more not in ("agrees", "opposite")

    @given(TEST)
    def test_a_side_needs_more_than_half_of_all_parts(self, test: list[Shown]) -> None:
        parts = [shown.outcome for shown in test]
        found = weigh(parts)
        for side, counted in (("agrees", parts.count("agrees")), ("opposite", parts.count("opposite"))):
            assert (found == side) == (counted == len(parts))
            assert (SIDES.get(found) == SIDES[side]) == (2 * counted > len(parts))

    @pytest.mark.parametrize(
        ("parts", "together", "needed"),
        [
            (["agrees"] * 3, "agrees", "agrees"),
            (["agrees", "agrees", "opposite"], "mostly agrees", "opposite"),
            (["agrees", "agrees", "missing"], "mostly agrees", "unclear"),
            (["opposite", "missing", "missing"], "unclear", "opposite"),
            (["agrees", "opposite"], "mixed", "opposite"),
            (["agrees", "unclear"], "unclear", "unclear"),
            (["mostly agrees"] * 2, "mostly agrees", "unclear"),
            (["mixed", "one seed"], "mixed", "mixed"),
            (["one seed", "missing"], "one seed", "one seed"),
            ([], "missing", "missing"),
        ],
    )
    def test_examples(self, parts: list[Outcome], together: Outcome, needed: Outcome) -> None:
        assert (weigh(parts), every(parts)) == (together, needed)

    def test_a_difference_is_judged_by_its_interval_its_seeds_and_its_images(self) -> None:
        above = Value(1.0, low=0.5, high=1.5, n=3)
        assert (judged(above, 80), judged(above, 80, expected=-1)) == ("agrees", "opposite")
        assert judged(above, MIN_IMAGES - 1) == "few images"
        assert judged(Value(0.1, low=-0.5, high=0.7, n=3), 80) == "unclear"
        assert judged(Value(1.0, n=1), 80) == "one seed"
        assert judged(Value(math.nan), 80) == "missing"


def verdict(answer: Answer) -> Outcome:
    return weigh(answer.outcomes)


LEVEL = st.lists(st.sampled_from([10.0, 20.0, 30.0]), min_size=2, max_size=2)
SPREAD = st.sampled_from([0.1, 5.0])
RUNS = st.fixed_dictionaries({run: LEVEL for run in LEVELS})
STEPS = st.fixed_dictionaries({stride: st.sampled_from([-3.0, 0.0, 3.0]) for stride in sweeps.STRIDES})
few_examples = settings(max_examples=8)


class TestQuestions:
    """The same of whole answers, on results that hypothesis makes up."""

    @few_examples
    @given(RUNS, SPREAD, st.sampled_from(list(LEVELS)))
    def test_classes(self, levels: dict[str, list[float]], spread: float, lost: str) -> None:
        offsets = {run: [spread * (seed - turn % 2) for seed in range(3)] for turn, run in enumerate(levels)}
        table = {run: ([of[0] + by for by in offsets[run]], [of[1]] * 3) for run, of in levels.items()}
        every_run = everyone(3)
        found = verdict(classes.answer(evidence(every_run, per_class=per_class(table))))
        swapped = {run: of[::-1] for run, of in table.items()}
        mirrored = verdict(classes.answer(evidence(every_run, per_class=per_class(swapped))))
        assert mirrored == MIRRORED.get(found, found)
        first = {run: (of[0][:1], of[1][:1]) for run, of in table.items()}
        one_seed = classes.answer(evidence(everyone(1), 1, per_class=per_class(first)))
        assert set(one_seed.outcomes) == {"one seed"}
        few = [run | {"images": MIN_IMAGES - 1} for run in every_run]
        assert verdict(classes.answer(evidence(few, per_class=per_class(table)))) == "few images"
        others = [run for run in every_run if run["run"] != lost]
        assert is_no_stronger(verdict(classes.answer(evidence(others, per_class=per_class(table)))), found)

    @few_examples
    @given(STEPS, STEPS, st.sampled_from([0.5, -0.5]), st.sampled_from(sweeps.STRIDES))
    def test_profiles(self, sc: dict[int, float], ef: dict[int, float], excess: float, lost: int) -> None:
        flat = dict.fromkeys(sweeps.STRIDES, 5.0)
        of_sc, of_ef = ({s: 5.0 + by for s, by in steps.items()} for steps in (sc, ef))
        known = sweeps.profiles({DINO: of_sc, SAM: flat}, {DINO: flat, SAM: of_ef}, excess=excess)
        found = verdict(profiles.answer(evidence([], profiles=known)))
        undefined = known.assign(ci_low=known["ci_low"].where(known["stride"] != lost))
        no_nulls = known[~known["score"].str.endswith("excess")]
        for less in (undefined, no_nulls, known.assign(images=MIN_IMAGES - 1)):
            assert is_no_stronger(verdict(profiles.answer(evidence([], profiles=less))), found)
        if excess < 0:
            assert SIDES.get(found, 0) <= 0

    @few_examples
    @given(
        st.fixed_dictionaries({name: STEPS for name in "abcd"}), SPREAD, st.sampled_from("abcd"), st.data()
    )
    def test_strides_and_settings(
        self, steps: dict[str, dict[int, float]], spread: float, lost: str, data: st.DataObject
    ) -> None:
        runs = [
            run
            for name, of in steps.items()
            for run in sweeps.sweep(name, sweeps.around({s: 30 + by for s, by in of.items()}, 3, spread))
        ]
        untrained = data.draw(st.sampled_from(sweeps.STRIDES))
        for question in (strides, finetuning):
            found = verdict(question.answer(evidence(runs)))
            for less in (
                [run for run in runs if run["run"][0] != lost],
                [run for run in runs if run["strides"] != [untrained] or run["run"][0] != lost],
                [run | {"images": MIN_IMAGES - 1} for run in runs],
            ):
                assert is_no_stronger(verdict(question.answer(evidence(less))), found)
            one = [run for run in runs if run["seed"] == 0]
            assert STRENGTH[verdict(question.answer(evidence(one, 1)))] <= 1

    @few_examples
    @given(STEPS, st.sampled_from(sweeps.STRIDES))
    def test_what_fine_tuning_does(self, steps: dict[int, float], lost: int) -> None:
        before = dict.fromkeys(sweeps.STRIDES, 10.0)
        single = sweeps.alone("dino-ft", DINO, True, [28.0] * 3)
        shifts = {
            sign: changes("dino-ft", DINO, before, {s: 10.0 + sign * by for s, by in steps.items()})
            for sign in (1, -1)
        }
        found, mirrored = (
            finetuning.answer(evidence(single, finetuned=table)).outcomes[0] for table in shifts.values()
        )
        assert mirrored == MIRRORED.get(found, found)
        table = shifts[1]
        here = table["stride"] == lost
        for less in (
            table.assign(seeds=1, seed_low=math.nan, seed_high=math.nan),
            table.assign(images=MIN_IMAGES - 1),
            table.assign(
                seed_low=table["seed_low"].where(~here, -9.0), seed_high=table["seed_high"].where(~here, 9.0)
            ),
            table.assign(
                **{end: table[end].where(~here) for end in ("ci_low", "ci_high", "seed_low", "seed_high")}
            ),
        ):
            assert is_no_stronger(finetuning.answer(evidence(single, finetuned=less)).outcomes[0], found)
