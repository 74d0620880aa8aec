"""Headlines of the answers, encoders by class (RQ1), profiles (RQ2), and the page with all answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import stride_results as sweeps
from question_results import DINO, LEVELS, SAM, everyone, evidence, outcomes, per_class, texts

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.questions import classes, profiles
from vfm_fusion.reporting.questions.answer import Answer, Finding
from vfm_fusion.reporting.questions.evidence import PER_CLASS, SUPERVISED, read_tidy
from vfm_fusion.reporting.questions_text import answers, questions_html, questions_markdown, reading_notes
from vfm_fusion.reporting.verdicts import Outcome


class TestHeadline:
    @pytest.mark.parametrize(
        ("found", "said"),
        [
            (["agrees", "agrees"], "Yes: 2 of 2 tests agree with the paper."),
            (["opposite"], "The opposite: the only test shows the opposite."),
            (["unclear", "unclear"], "Undecided: 2 of 2 tests lie within spread or chance."),
            (["mixed", "unclear"], "Mixed: 1 of 2 tests is mixed and 1 lies within spread or chance."),
            (
                ["one seed", "unclear"],
                "Undecided: 1 of 2 tests lies within spread or chance and 1 rests on one seed.",
            ),
            (["missing"], "Not answered: the only test could not be made."),
            (["agrees", "missing"], "Undecided: 1 of 2 tests agrees with the paper and 1 could not be made."),
            (
                ["opposite", "unclear"],
                "Undecided: 1 of 2 tests shows the opposite and 1 lies within spread or chance.",
            ),
            (
                ["agrees", "opposite", "unclear"],
                "Mixed: 1 of 3 tests agrees with the paper, 1 shows the opposite and 1 lies within spread or "
                "chance.",
            ),
            (
                ["opposite", "missing", "missing"],
                "Undecided: 1 of 3 tests shows the opposite and 2 could not be made.",
            ),
            (
                ["agrees", "agrees", "missing"],
                "Mostly: 2 of 3 tests agree with the paper and 1 could not be made.",
            ),
            (
                ["opposite", "mostly opposite", "few images"],
                "Mostly the opposite: 1 of 3 tests shows the opposite, 1 mostly shows the opposite and 1 "
                "rests on fewer than 6 images.",
            ),
        ],
    )
    def test_counts_every_outcome(self, found: list[Outcome], said: str) -> None:
        answer = Answer("RQ1", "?", tuple(Finding("x", (outcome,)) for outcome in found))
        assert answer.headline == said


class TestClasses:
    def test_a_bias_that_stands_out_and_injections_that_help_where_expected(self) -> None:
        answer = classes.answer(evidence(everyone(3), per_class=per_class(LEVELS)))
        assert texts(answer) == [
            "Mean AP over boundary-rich classes (boundary-to-area ratio above the median: person, rider) "
            "and over large ones (car, bus), in percent.",
            "Frozen: SAM mini leads on boundary-rich classes (15.10 ± 0.10; next DINO mini, 10.10 ± 0.10); "
            "DINO mini leads on large classes (30.10 ± 0.10; next SAM mini, 28.13 ± 0.15). Relative to DINO "
            "mini, SAM mini is stronger on boundary-rich classes than on large classes (boundary-rich minus "
            "large: +6.97 points [+6.59, +7.35]), as in the paper.",
            "Fine-tuned: SAM mini leads on boundary-rich classes (22.10 ± 0.10; next DINO mini, 20.10 ± "
            "0.10); SAM mini leads on large classes (36.03 ± 0.06; next DINO mini, 35.10 ± 0.10). Relative "
            "to DINO mini, SAM mini is stronger on boundary-rich classes than on large classes "
            "(boundary-rich minus large: +1.07 points [+0.92, +1.21]), as in the paper.",
            "Edges injected (A, SAM mini into DINO mini at OS 16): +4.03 points [+3.89, +4.18] on "
            "boundary-rich classes and +1.00 points [+0.75, +1.25] on large classes, so more on "
            "boundary-rich classes (boundary-rich minus large: +3.03 points [+2.89, +3.18]), as in the "
            "paper.",
            "Structure injected (C, DINO mini into SAM mini at OS 32): +0.50 points [+0.50, +0.50] on "
            "boundary-rich classes and +2.10 points [+1.85, +2.35] on large classes, so more on large "
            "classes (boundary-rich minus large: −1.60 points [−1.85, −1.35]), as in the paper.",
        ]
        assert outcomes(answer) == ["agrees"] * 4
        assert answer.headline == "Yes: 4 of 4 tests agree with the paper."

    def test_the_opposite(self) -> None:
        swapped = {run: of[::-1] for run, of in LEVELS.items()}
        answer = classes.answer(evidence(everyone(3), per_class=per_class(swapped)))
        assert outcomes(answer) == ["opposite"] * 4
        assert texts(answer)[1].endswith(
            "Relative to DINO mini, SAM mini is stronger on large classes than on boundary-rich classes "
            "(boundary-rich minus large: −6.97 points [−7.35, −6.59]), the opposite of the paper."
        )
        assert texts(answer)[4].endswith(
            "so more on boundary-rich classes (boundary-rich minus large: +1.60 points [+1.35, +1.85]), the "
            "opposite of the paper."
        )
        assert answer.headline == "The opposite: 4 of 4 tests show the opposite."

    def test_within_the_spread(self) -> None:
        noisy = {run: ([10.0, 14.0, 9.0], of[1]) for run, of in LEVELS.items()}
        noisy["dino-fz"] = noisy["dino-ft"] = ([14.0, 9.0, 10.0], [30.0, 30.1, 30.2])
        answer = classes.answer(evidence(everyone(3), per_class=per_class(noisy)))
        assert outcomes(answer)[:2] == ["unclear", "unclear"]
        assert texts(answer)[1].startswith(
            "Frozen: DINO mini and SAM mini are level on boundary-rich classes (11.00 ± 2.65 and 11.00 ± "
            "2.65); "
        )
        assert texts(answer)[1].endswith(
            "(boundary-rich minus large: +1.97 points [−9.45, +13.38]): not distinguishable from the seed "
            "spread."
        )

    def test_one_seed(self) -> None:
        one = {run: (of[0][:1], of[1][:1]) for run, of in LEVELS.items()}
        answer = classes.answer(evidence(everyone(1), 1, per_class=per_class(one)))
        assert outcomes(answer) == ["one seed"] * 4
        assert texts(answer)[1] == (
            "Frozen: SAM mini leads on boundary-rich classes (15.00; next DINO mini, 10.00); DINO mini "
            "leads on large classes (30.00; next SAM mini, 28.00). Relative to DINO mini, SAM mini is "
            "by the means stronger on boundary-rich classes than on large classes (boundary-rich minus "
            "large: +7.00 points); one seed, so no spread is known."
        )

    def test_what_is_missing_is_named(self) -> None:
        frozen = sweeps.alone("sam-fz", SAM, False, [30.0] * 3)
        answer = classes.answer(evidence(frozen, per_class=per_class({"sam-fz": LEVELS["sam-fz"]})))
        assert texts(answer)[1:] == [
            "Frozen: no comparison, for no run has DINO mini alone and frozen.",
            "Fine-tuned: no comparison, for no run has DINO mini or SAM mini alone and fine-tuned.",
            "Edges injected: no run injects frozen SAM mini into DINO mini at OS 16.",
            "Structure injected: no run injects frozen DINO mini into SAM mini at OS 32.",
        ]
        assert answer.headline == "Not answered: 4 of 4 tests could not be made."
        fused = sweeps.sweep("a", {16: [30.0]})
        alone = classes.answer(evidence(fused, 1, per_class=per_class({"a-os16": ([1.0], [2.0])})))
        assert texts(alone)[3] == "Edges injected: no run trains DINO mini alone in the same way."
        assert texts(classes.answer(evidence(frozen))) == [
            "The table per class holds no two groups of classes, so nothing can be compared."
        ]

    def test_a_missing_seed_is_not_averaged_over(self) -> None:
        table = per_class(LEVELS | {"sam-fz": ([15.0, 15.2, float("nan")], LEVELS["sam-fz"][1])})
        answer = classes.answer(evidence(everyone(3), per_class=table))
        assert outcomes(answer)[0] == "missing"
        assert texts(answer)[1] == (
            "Frozen: DINO mini leads on boundary-rich classes (10.10 ± 0.10; next SAM mini, undefined); "
            "DINO mini leads on large classes (30.10 ± 0.10; next SAM mini, 28.13 ± 0.15). Their difference "
            "is not defined for every seed."
        )

    def test_the_frozen_master_stands_in_where_no_other_was_trained(self) -> None:
        runs = [*everyone(3)[:12], *sweeps.sweep("b", {16: [30.0] * 3})]
        levels = {run: of for run, of in LEVELS.items() if "os" not in run} | {"b-os16": LEVELS["a-os16"]}
        answer = classes.answer(evidence(runs, per_class=per_class(levels)))
        assert texts(answer)[3].startswith(
            "Edges injected (B, SAM mini into DINO mini at OS 16): +14.03 points"
        )


class TestProfiles:
    def test_profiles_that_differ_beyond_their_intervals(self) -> None:
        answer = profiles.answer(evidence([]))
        assert texts(answer) == [
            "By the mean over the strides, SC is highest for DINO mini (0.70), then SAM mini (0.45); EF is "
            "highest for SAM mini (11.00), then DINO mini (2.00): each is led by another encoder.",
            "SC of DINO mini lies above that of SAM mini at every stride, beyond the intervals (largest at "
            "OS 4: 0.80 [0.75, 0.85] against 0.50 [0.45, 0.55]).",
            "EF of SAM mini lies above that of DINO mini at every stride, beyond the intervals (largest at "
            "OS 16: 18.00 [17.95, 18.05] against 3.00 [2.95, 3.05]).",
            "EF of SAM mini peaks at OS 16 (18.00 [17.95, 18.05]; next OS 32, 13.00 [12.95, 13.05]), beyond "
            "the intervals.",
            "SC of DINO mini exceeds its null floor at every stride; EF of SAM mini exceeds its null floor "
            "at every stride.",
        ]
        assert answer.headline == "Yes: 4 of 4 tests agree with the paper."

    def test_intervals_that_overlap_tell_nothing_apart(self) -> None:
        answer = profiles.answer(evidence([], profiles=sweeps.profiles(half=9.0, excess=None)))
        assert outcomes(answer) == ["unclear", "unclear", "unclear", "missing"]
        assert texts(answer)[1].startswith(
            "The intervals of SC of DINO mini and SAM mini overlap at every stride (largest at OS 4: 0.80 "
            "[−8.20,"
        )
        assert texts(answer)[3].endswith("next OS 32, 13.00 [4.00, 22.00]), but the intervals overlap.")
        assert texts(answer)[4] == "No null floor of SC was computed for DINO mini."

    def test_crossing_profiles_are_mixed_and_reversed_ones_the_opposite(self) -> None:
        crossing = {DINO: sweeps.SC[DINO] | {16: 0.1, 32: 0.1}, SAM: sweeps.SC[SAM]}
        reverse = {DINO: sweeps.EF[SAM], SAM: sweeps.EF[DINO]}
        answer = profiles.answer(evidence([], profiles=sweeps.profiles(crossing, reverse)))
        assert outcomes(answer) == ["mixed", "opposite", "agrees", "agrees"]
        assert texts(answer)[1].startswith(
            "SC of DINO mini lies above that of SAM mini at OS 4 and 8 and below that of SAM mini at OS 16 "
            "and 32, beyond the intervals"
        )
        assert texts(answer)[2].startswith(
            "EF of SAM mini lies below that of DINO mini at every stride, beyond"
        )
        once = {DINO: sweeps.SC[DINO] | {32: 0.1}, SAM: sweeps.SC[SAM]}
        assert outcomes(profiles.answer(evidence([], profiles=sweeps.profiles(once))))[0] == "mostly agrees"

    @pytest.mark.parametrize(("excess", "nulls"), [(-0.2, "opposite"), (0.0, "unclear"), (None, "missing")])
    def test_scores_that_are_not_known_to_clear_their_null_tell_nothing(
        self, excess: float | None, nulls: Outcome
    ) -> None:
        answer = profiles.answer(evidence([], profiles=sweeps.profiles(excess=excess)))
        assert outcomes(answer) == ["unclear", "unclear", "unclear", nulls]
        assert texts(answer)[1].endswith(
            "; at every stride the higher one is not known to clear its null floor, so it tells nothing."
        )
        assert texts(answer)[3].endswith(
            "beyond the intervals, but it is not known to clear its null floor there."
        )
        if nulls == "opposite":
            assert texts(answer)[4].endswith(
                "EF of SAM mini exceeds its null floor at no stride and lies below it at every stride."
            )

    def test_a_stride_without_a_value_counts_for_no_side(self) -> None:
        known = sweeps.profiles()
        half = known.assign(ci_low=known["ci_low"].where(~known["stride"].isin([4, 8])))
        answer = profiles.answer(evidence([], profiles=half))
        assert outcomes(answer) == ["unclear"] * 4
        assert "lies above that of SAM mini at OS 16 and 32, beyond" in texts(answer)[1]

    def test_one_encoder_that_leads_both_is_said(self) -> None:
        ranks = {score: sweeps.SELECTION["ranks"]["sc"] for score in ("sc", "ef")}
        answer = profiles.answer(evidence([], selection=sweeps.SELECTION | {"ranks": ranks}))
        assert texts(answer)[0].endswith("then SAM mini (0.45): one encoder leads both.")

    def test_one_image_has_no_interval(self) -> None:
        lost = sweeps.profiles().assign(ci_low=float("nan"), ci_high=float("nan"))
        answer = profiles.answer(evidence([], profiles=lost))
        assert outcomes(answer) == ["missing"] * 4
        assert texts(answer)[1] == "SC of DINO mini and SAM mini has an interval at no common stride."


class TestText:
    def test_markdown_and_html_hold_every_answer(self) -> None:
        known = evidence(everyone(3)[1:], per_class=per_class(LEVELS))
        found, notes = answers(known), reading_notes(known)
        markdown, html = questions_markdown(found, notes), questions_html(found, notes)
        assert [answer.key for answer in found] == ["RQ1", "RQ2", "RQ3", "RQ4", "RQ5"]
        assert markdown.count("### RQ") == html.count("<h3>RQ") == 5
        assert (
            "### RQ3: Does EF suggest the best injection stride?\n\n**Not answered: the only test" in markdown
        )
        assert "SC\\_GT" in markdown
        assert "<b>Yes: 4 of 4 tests agree with the paper.</b>" in html
        assert notes[0] == (
            "Structure encoder: DINO mini; edge encoder: SAM mini. A, B: edges injected into structure, "
            "master fine-tuned or frozen; C, D: the reverse."
        )
        assert notes[3].startswith("Incomplete: run 'Run dino-fz' has 2 of 3 seeds (not evaluated: seed 0)")

    def test_a_semantic_task_is_judged_by_its_miou(self) -> None:
        runs = sweeps.sweep("a", {8: [None], 16: [None]})  # type: ignore[list-item]
        assert evidence(runs, 1).metric == "mIoU"

    def test_the_leading_metric_judges_strides_where_the_runs_have_it(self) -> None:
        runs = sweeps.sweep("a", {8: [5.0], 16: [9.0]})
        assert sweeps.collected(runs, range(1)).metrics == ["AP", "mIoU"]
        assert sweeps.collected(runs, range(1), leading="mIoU").metrics == ["mIoU", "AP"]
        assert sweeps.collected(runs, range(1), leading="PQ").metrics == ["AP", "mIoU"]

    def test_tidy_files_are_checked_and_may_be_blank(self, tmp_path: Path) -> None:
        path = tmp_path / "per_class.csv"
        path.write_text("\n", encoding="utf-8")
        assert list(read_tidy(path, PER_CLASS)) == list(PER_CLASS)
        per_class(LEVELS).to_csv(path, index=False)
        assert len(read_tidy(path, PER_CLASS)) == 2 * 2 * 3 * len(LEVELS)
        with pytest.raises(
            ReportingError, match=r"per_class\.csv: columns \['encoder', 'measure', 'statistic', 'n'\]"
        ):
            read_tidy(path, SUPERVISED)
