"""The answers on strides (RQ3), on what SC and EF measure (RQ4), and on fine-tuning (RQ5)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest
import stride_results as sweeps
from question_results import (
    DINO,
    HIT,
    MISS,
    SAM,
    changes,
    everyone,
    evidence,
    outcomes,
    supervised,
    sweeps_of,
    texts,
)

from vfm_fusion.reporting.questions import finetuning, strides, validity
from vfm_fusion.reporting.questions.answer import Answer
from vfm_fusion.reporting.stride_sweep import chance_of_hits
from vfm_fusion.reporting.verdicts import Outcome


class TestStrides:
    def test_a_hit_and_a_miss_that_stand_out(self) -> None:
        answer = strides.answer(evidence(sweeps_of(sweeps.around(HIT, 3), sweeps.around(MISS, 3))))
        assert texts(answer) == [
            "By AP the suggested stride is the best in 1 of 2 settings (50 %; at random 25 %, p = 0.44), "
            "and seed by seed in 3 of 6 cases (50 %; at random 25 %, p = 0.17). On average 0.25 points are "
            "lost to the best stride; a stride drawn at random would lose 1.81. With one stride drawn per "
            "auxiliary that cannot be told from chance (p = 0.44).",
            "A hits: OS 16 against the next best, OS 8: +2.00 points [+1.57, +2.43]; C misses: OS 32 "
            "against the best, OS 16: −0.50 points [−0.93, −0.07]. Not swept: B and D.",
            "Hits by the other metrics: mIoU 2 of 2.",
        ]
        assert answer.headline == (
            "Mixed: 1 of 5 tests agrees with the paper, 1 shows the opposite, 1 lies within spread or chance "
            "and 2 could not be made."
        )

    def test_hits_of_two_auxiliaries_are_two_draws(self) -> None:
        """Four hits of four settings by chance: 1/4 for each of the two auxiliaries, not for each setting."""
        reverse = {4: 30.0, 8: 31.0, 16: 32.0, 32: 33.0}
        runs = [
            e
            for name, of in (("a", HIT), ("b", HIT), ("c", reverse), ("d", reverse))
            for e in sweeps.sweep(name, sweeps.around(of, 3))
        ]
        answer = strides.answer(evidence(runs))
        assert texts(answer)[0].startswith(
            "By AP the suggested stride is the best in 4 of 4 settings (100 %; at random 25 %, p = 0.0039)"
        )
        assert texts(answer)[0].endswith(
            "With one stride drawn per auxiliary that cannot be told from chance (p = 0.062)."
        )
        assert answer.headline == (
            "Mostly: 4 of 5 tests agree with the paper and 1 lies within spread or chance."
        )

    def test_what_another_definition_would_have_suggested(self) -> None:
        other = sweeps.profiles(ef={**sweeps.EF, SAM: {4: 9.0, 8: 2.0, 16: 1.0, 32: 1.0}})
        profiles = pd.concat([sweeps.profiles(), other.assign(definition="calibrated")], ignore_index=True)
        runs = sweeps_of(sweeps.around(HIT, 3), sweeps.around(MISS, 3))
        found, alone = (strides.answer(evidence(runs, **more)) for more in ({"profiles": profiles}, {}))
        assert found.headline == alone.headline
        assert texts(found)[:-1] == texts(alone)
        assert texts(found)[-1].startswith(
            "EF by definition 'calibrated' would suggest OS 4 for SAM mini and OS 32 for DINO mini. By AP "
            "the suggested stride is the best in 0 of 2 settings"
        )

    def test_the_chance_of_hits_is_that_of_one_draw_per_auxiliary(self) -> None:
        """OS 16 alone hits A and B: 1/4 for both, else none. Of C and D, OS 16 and OS 32 hit one each."""
        levels = {"a": HIT, "b": HIT, "c": HIT, "d": HIT | {32: 34.0}}
        runs = [e for name, of in levels.items() for e in sweeps.sweep(name, sweeps.around(of, 3))]
        settings = evidence(runs).sweep.settings
        assert [setting.judged("AP").hit for setting in settings] == [True, True, False, True]
        found = chance_of_hits(settings, "AP")
        assert found.p == pytest.approx(1 / 4 * 2 / 4)
        assert found.p_fewer == pytest.approx(1)
        assert chance_of_hits(settings[2:3], "AP").p_fewer == pytest.approx(3 / 4)

    def test_a_stride_that_was_not_trained_may_be_the_best(self) -> None:
        answer = strides.answer(evidence(sweeps.sweep("a", sweeps.around({8: 31.0, 16: 33.0}, 3))))
        assert texts(answer)[1].startswith(
            "A hits: OS 16 against the next best, OS 8: +2.00 points [+1.57, +2.43] (OS 4 and 32 not trained)"
        )
        assert outcomes(answer) == ["unclear", "unclear", "missing", "missing", "missing"]
        missed = strides.answer(evidence(sweeps.sweep("a", sweeps.around({8: 33.0, 16: 31.0}, 3))))
        assert outcomes(missed)[1] == "opposite"

    def test_margins_within_the_spread(self) -> None:
        values = {8: [31.0, 33.0, 30.0], 16: [33.0, 30.0, 32.0]}
        answer = strides.answer(evidence(sweeps.sweep("a", values)))
        assert texts(answer)[1] == (
            "A hits: OS 16 against the next best, OS 8: +0.33 points [−6.84, +7.50] (not distinguishable "
            "from the seed spread). Not swept: B, C and D."
        )
        assert answer.headline == (
            "Undecided: 2 of 5 tests lie within spread or chance and 3 could not be made."
        )

    def test_one_seed(self) -> None:
        one = sweeps_of({8: [31.0], 16: [33.0]}, {8: [31.0], 32: [30.0]})
        answer = strides.answer(evidence(one, 1))
        assert texts(answer)[1] == (
            "A hits: OS 16 against the next best, OS 8: +2.00 points (one seed, so no spread is known); C "
            "misses: OS 32 against the best, OS 8: −1.00 points (one seed, so no spread is known). Not "
            "swept: B and D."
        )
        assert texts(answer)[0].endswith("(p = 0.75); one seed, so no spread is known.")
        assert outcomes(answer) == [*["one seed"] * 3, *["missing"] * 2]
        assert answer.headline == "Undecided: 3 of 5 tests rest on one seed and 2 could not be made."

    def test_what_is_not_trained_is_said(self) -> None:
        none = strides.answer(evidence(everyone(1), 1))
        assert texts(none) == [
            "No pair was trained at two or more injection strides. The question needs runs of one pair that "
            "differ in fusion.stride alone."
        ]
        other = strides.answer(evidence(sweeps.sweep("a", {4: [1.0], 8: [2.0]}), 1))
        assert texts(other) == [
            "No setting could be judged.",
            "A: not judged, OS 16 not trained. Not swept: B, C and D.",
        ]
        assert other.headline == "Not answered: 5 of 5 tests could not be made."


class TestValidity:
    def test_three_encoders_show_nothing_whatever_their_order(self) -> None:
        table = supervised([0.7, 0.5, 0.6], [0.5, 0.2, 0.4], [0.1, 0.2, 0.3])
        answer = validity.answer(evidence([], supervised=table))
        assert texts(answer)[:2] == [
            "SC and SC_GT of classes rank the 3 encoders in the same order (ρ = +1.00, p = 0.33); 3 encoders "
            "cannot reach p ≤ 0.05, whatever their order.",
            "SC and SC_GT of objects rank the 3 encoders differently (ρ = −0.50, p = 1); 3 encoders cannot "
            "reach p ≤ 0.05, whatever their order.",
        ]
        assert outcomes(answer)[:2] == ["unclear", "unclear"]

    def test_five_encoders_can_agree_or_show_the_opposite(self) -> None:
        up = [0.1, 0.2, 0.3, 0.4, 0.5]
        answer = validity.answer(evidence([], supervised=supervised(up, up, up[::-1])))
        assert texts(answer)[:2] == [
            "SC and SC_GT of classes rank the 5 encoders in the same order (ρ = +1.00, p = 0.017), as in the "
            "paper.",
            "SC and SC_GT of objects rank the 5 encoders in the opposite order (ρ = −1.00, p = 0.017), the "
            "opposite of the paper.",
        ]
        unclear = validity.answer(evidence([], supervised=supervised(up, [0.1, 0.3, 0.2, 0.5, 0.4], up)))
        assert texts(unclear)[0] == (
            "SC and SC_GT of classes rank the 5 encoders differently (ρ = +0.80, p = 0.13): not "
            "distinguishable from chance."
        )

    def test_gains_are_correlated_per_setting_and_pooled(self) -> None:
        singles = [
            *sweeps.alone("dino-ft", DINO, True, [28.0] * 3),
            *sweeps.alone("sam-ft", SAM, True, [28.0] * 3),
        ]
        found = [*singles, *sweeps_of(sweeps.around(HIT, 3), sweeps.around(MISS, 3))]
        answer = validity.answer(evidence(found))
        assert texts(answer)[2] == (
            "EF and the gain in AP over the strides of a setting: A ρ = +0.40 and C ρ = +0.80 (none can be "
            "significant alone); 8 pairs of auxiliary and stride pooled: ρ = +0.10, p = 0.81: not "
            "distinguishable from chance."
        )
        both = [*found, *sweeps.alone("dino-fz", DINO, False, [28.0] * 3)]
        shared = validity.answer(evidence([*both, *sweeps.sweep("b", sweeps.around(HIT, 3))]))
        assert (
            "C ρ = +0.80 (none can be significant alone); 8 pairs of auxiliary and stride" in texts(shared)[2]
        )
        assert shared.findings[2].outcomes == ("unclear",)
        alone = validity.answer(evidence([*singles[:3], *sweeps.sweep("a", sweeps.around(HIT, 3))]))
        assert texts(alone)[2] == (
            "EF and the gain in AP over the strides of a setting: A ρ = +0.40 (none can be significant "
            "alone), p = 0.75; 4 pairs of auxiliary and stride cannot reach p ≤ 0.05, whatever their order."
        )

    def test_what_is_missing(self) -> None:
        answer = validity.answer(evidence([]))
        assert texts(answer) == [
            "SC was not compared with SC_GT of classes: a rank correlation needs 3 pairs, there are 0.",
            "SC was not compared with SC_GT of objects: a rank correlation needs 3 pairs, there are 0.",
            "EF was not compared with gains: no pair was trained at two or more injection strides.",
        ]
        no_master = validity.answer(evidence(sweeps.sweep("a", sweeps.around(HIT, 3))))
        assert texts(no_master)[2] == (
            "EF was not compared with the gain in AP: no run trains this master alone in the same way."
        )


class TestFinetuning:
    SINGLES = (
        *sweeps.alone("dino-ft", DINO, True, [28.0] * 3),
        *sweeps.alone("sam-ft", SAM, True, [28.0] * 3),
    )

    def answer(self, structure: Mapping[int, float], edges: Mapping[int, float], half: float = 0.5) -> Answer:
        tuned = [
            changes("dino-ft", DINO, sweeps.EF[DINO], structure, half),
            changes("sam-ft", SAM, sweeps.EF[SAM], edges, half),
        ]
        return finetuning.answer(evidence(self.SINGLES, finetuned=pd.concat(tuned)))

    def test_a_shift_to_edges_and_a_peak_that_moves(self) -> None:
        up = {stride: value + 1 for stride, value in sweeps.EF[DINO].items()}
        answer = self.answer(up, {4: 9.0, 8: 12.0, 16: 11.0, 32: 9.0})
        assert texts(answer)[:2] == [
            "DINO mini, fine-tuned alone (mean of 3 seeds): EF rises at every stride (most at OS 4: 1.00 → "
            "2.00), towards edges as in the paper; SC falls at every stride (most at OS 4: 0.60 → 0.50).",
            "SAM mini, fine-tuned alone (mean of 3 seeds): its EF peak moves from OS 16 to OS 8 and gets "
            "flatter (OS 16 has 1.93 times the mean of the other strides before, 1.10 after); EF rises at OS "
            "4 and 8 and falls at OS 16 and 32 (most at OS 16: 18.00 → 11.00).",
        ]
        assert outcomes(answer)[:2] == ["agrees", "agrees"]

    def test_the_opposite(self) -> None:
        down = {stride: value - 0.75 for stride, value in sweeps.EF[DINO].items()}
        answer = self.answer(down, sweeps.EF[SAM] | {16: 25.0})
        assert "EF falls at every stride (most at OS 4: 1.00 → 0.25), away from edges; SC" in texts(answer)[0]
        assert (
            "its EF peak stays at OS 16 and gets sharper (OS 16 has 1.93 times the mean of the other strides "
            "before, 2.68 after)"
        ) in texts(answer)[1]
        assert outcomes(answer)[:2] == ["opposite", "opposite"]

    def test_both_ways_is_mixed_and_within_the_intervals_unclear(self) -> None:
        mixed = sweeps.EF[DINO] | {4: 3.0, 32: 4.0}
        assert outcomes(self.answer(mixed, sweeps.EF[SAM]))[:2] == ["mixed", "unclear"]
        still = self.answer(sweeps.EF[DINO], sweeps.EF[SAM])
        assert outcomes(still)[:2] == ["unclear", "unclear"]
        assert "EF moves nowhere beyond its intervals; SC falls" in texts(still)[0]

    def test_one_seed_shows_nothing_of_training(self) -> None:
        """The first fault of its kind: intervals over images alone made one seed say the opposite."""
        down = {stride: value - 0.75 for stride, value in sweeps.EF[DINO].items()}
        tuned = pd.concat([changes("dino-ft", DINO, sweeps.EF[DINO], down)])
        one = tuned.assign(seeds=1, seed_low=float("nan"), seed_high=float("nan"))
        answer = finetuning.answer(evidence(self.SINGLES[:1], 1, finetuned=one))
        assert outcomes(answer)[0] == "one seed"
        assert texts(answer)[0].startswith("DINO mini, fine-tuned alone (one seed): EF falls at every stride")
        assert texts(answer)[0].endswith("; one seed, so no spread is known.")
        assert answer.headline == "Undecided: 1 of 5 tests rests on one seed and 4 could not be made."

    def test_a_change_within_the_seeds_is_none(self) -> None:
        down = {stride: value - 0.75 for stride, value in sweeps.EF[DINO].items()}
        tuned = changes("dino-ft", DINO, sweeps.EF[DINO], down).assign(seed_low=-2.0, seed_high=1.0)
        answer = finetuning.answer(evidence(self.SINGLES, finetuned=tuned))
        assert "EF moves nowhere beyond its intervals" in texts(answer)[0]
        assert outcomes(answer)[0] == "unclear"

    def test_without_fine_tuned_encoders(self) -> None:
        answer = finetuning.answer(evidence(sweeps.alone("dino-fz", DINO, False, [1.0]), 1))
        assert texts(answer) == [
            "DINO mini: no run fine-tunes it alone, so there is no profile after.",
            "SAM mini: no run fine-tunes it alone, so there is no profile after.",
            "Whether A is the best setting is not known: no setting was swept over strides; A, B, C and D "
            "are missing.",
        ]

    @pytest.mark.parametrize(
        ("levels", "found", "said"),
        [
            (
                {"a": 33.0, "c": 31.0},
                ["agrees", "missing", "missing"],
                "At its best stride (OS 16), A has AP 33.00 ± 0.10; C at OS 16 31.00 ± 0.10: +2.00 points "
                "[+2.00, +2.00], as in the paper. Not swept: B and D.",
            ),
            (
                {"a": 30.0, "b": 32.0, "c": 31.0, "d": 29.0},
                ["opposite", "opposite", "agrees"],
                "At its best stride (OS 16), A has AP 30.00 ± 0.10; B at OS 16 32.00 ± 0.10: −2.00 points "
                "[−2.00, −2.00], the opposite of the paper; C at OS 16 31.00 ± 0.10: −1.00 points [−1.00, "
                "−1.00], the opposite of the paper; D at OS 16 29.00 ± 0.10: +1.00 points [+1.00, +1.00], as "
                "in the paper.",
            ),
            (
                {"a": 33.0},
                ["missing"] * 3,
                "Whether A is the best setting is not known: only A was swept over strides; B, C and D are "
                "missing.",
            ),
        ],
    )
    def test_whether_a_is_the_best_setting(
        self, levels: Mapping[str, float], found: list[Outcome], said: str
    ) -> None:
        runs = [
            e
            for name, level in levels.items()
            for e in sweeps.sweep(
                name, sweeps.around(dict.fromkeys(sweeps.STRIDES, level - 1) | {16: level}, 3)
            )
        ]
        answer = finetuning.answer(evidence(runs))
        assert (outcomes(answer)[2:], texts(answer)[2]) == (found, said)

    def test_a_setting_may_be_better_at_a_stride_that_was_not_trained(self) -> None:
        runs = sweeps_of(sweeps.around({8: 30.0, 16: 33.0}, 3), sweeps.around({8: 30.0, 16: 31.0}, 3))
        answer = finetuning.answer(evidence(runs))
        assert outcomes(answer)[2] == "unclear"
        assert "+2.00 points [+2.00, +2.00], but not every stride was trained. Not swept" in texts(answer)[2]

    def test_settings_within_the_spread_and_of_one_seed(self) -> None:
        close = sweeps_of(
            {8: [30.0, 30.0, 30.0], 16: [33.0, 31.0, 32.0]}, {8: [30.0, 30.0, 30.0], 16: [31.0, 33.0, 31.0]}
        )
        assert texts(finetuning.answer(evidence(close)))[2] == (
            "At its best stride (OS 16), A has AP 32.00 ± 1.00; C at OS 16 31.67 ± 1.15: +0.33 points "
            "[−4.84, +5.50]: not distinguishable from the seed spread. Not swept: B and D."
        )
        one = sweeps_of({8: [30.0], 16: [33.0]}, {8: [30.0], 16: [31.0]})
        assert texts(finetuning.answer(evidence(one, 1)))[2] == (
            "At its best stride (OS 16), A has AP 33.00; C at OS 16 31.00: +2.00 points; one seed, so no "
            "spread is known. Not swept: B and D."
        )
