"""Which upsampler wins: sentences by hand, and no verdict is stronger than its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from clicked_by_hand import key, objects, qualities, results, scored

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.paired_clicks import paired
from vfm_fusion.reporting.upsampled_quality import Qualities
from vfm_fusion.reporting.upsampling_answers import (
    Evidence,
    against_references,
    late_or_early,
    who_knew,
    winner,
)
from vfm_fusion.reporting.upsampling_text import answers, reading_notes, upsampling_text

BOOTSTRAP = Bootstrap(200, 0)
LOW, LOFT = [4, 4, 5, 5, 4, 4, 5, 5], [2, 2, 3, 3, 2, 2, 3, 3]
NAN = float("nan")


def evidence(
    clicks: Mapping[Any, Sequence[Sequence[float]]], quality: Qualities | None = None, datasets: int = 1
) -> Evidence:
    """Cells to the clicks of every object, seed by seed; the same on every data set."""
    names = [f"photos{index or ''}" for index in range(datasets)]
    found, tables = [], {}
    for cell, seeds in clicks.items():
        upsampler, model = cell if isinstance(cell, tuple) else (cell, "late")
        for dataset in names:
            tables[key(upsampler, model, dataset=dataset)] = {
                seed: objects(values) for seed, values in enumerate(seeds)
            }
            for seed, values in enumerate(seeds):
                known = [value for value in values if not math.isnan(value)]
                noc = sum(known) / len(known) if known else None
                found.append(scored(upsampler, noc, seed, clicks=model, dataset=dataset))
    seeds = range(len(next(iter(clicks.values()))))
    own = results(found, seeds=seeds, datasets=names)
    return Evidence(own, tables, quality or qualities({}), BOOTSTRAP)


class TestPaired:
    def test_the_mean_difference_of_objects_with_its_interval_over_images(self) -> None:
        found = paired({0: objects([1, 2, 3, 4])}, {0: objects([2, 2, 5, 5])}, BOOTSTRAP)
        assert (found.clicks.mean, found.objects, found.images) == (-1.0, 4, 4)
        assert -2 <= found.clicks.low < -1 < found.clicks.high <= 0

    def test_images_are_resampled_with_all_their_objects(self) -> None:
        """Two images whose objects agree: as objects the interval would be clear of their means."""
        first, second = [3, 3, 3, 3, 1, 1, 1, 1], [1] * 8
        found = paired({0: objects(first, 4)}, {0: objects(second, 4)}, BOOTSTRAP)
        assert (found.clicks.mean, found.clicks.low, found.clicks.high, found.images) == (1, 0, 2, 2)

    def test_undefined_objects_are_left_out_and_one_image_has_no_interval(self) -> None:
        found = paired({0: objects([1, NAN])}, {0: objects([2, NAN])}, BOOTSTRAP)
        assert (found.clicks.mean, found.objects) == (-1, 1)
        assert math.isnan(found.clicks.low)
        assert found.outcome == "one seed"
        assert paired({0: objects([NAN])}, {0: objects([NAN])}, BOOTSTRAP).outcome == "missing"

    @pytest.mark.parametrize(
        ("seeds", "count", "expected"),
        [
            ([0.0, 0.1], 8, "agrees"),
            ([0.0], 8, "one seed"),
            ([0.0, 0.1], 5, "few images"),
            ([0.0, 3.9], 8, "unclear"),  # the seeds differ by more than the models
        ],
    )
    def test_a_side_needs_images_and_seeds(self, seeds: list[float], count: int, expected: str) -> None:
        first = {seed: objects([value + more for value in LOFT[:count]]) for seed, more in enumerate(seeds)}
        second = {seed: objects(LOW[:count]) for seed in range(len(seeds))}
        mirrored = {"agrees": "opposite"}.get(expected, expected)
        assert paired(first, second, BOOTSTRAP).outcome == expected
        assert paired(second, first, BOOTSTRAP).outcome == mirrored

    def test_other_objects_are_refused(self) -> None:
        with pytest.raises(ReportingError, match="different objects: 2 and 3, of them 2 the same"):
            paired({0: objects([1, 2])}, {0: objects([1, 2, 3])}, BOOTSTRAP)


class TestWinner:
    def test_who_by_how_much_and_beyond_chance(self) -> None:
        told = winner(evidence({"low": [LOW, LOW], "loft": [LOFT, LOFT]}))
        assert told.headline == (
            "LoftUp needs the fewest clicks in 1 of 1 comparison, on average 2.00 fewer than the next; ahead "
            "of all others beyond chance in 1."
        )
        assert told.sentences == (
            "On photos (DINO, late), LoftUp needs the fewest, 2.50; the next is low-res with 4.50, a "
            "difference of −2.00 clicks [−2.00, −2.00], paired over 8 objects of 8 images, and ahead of it "
            "beyond chance.",
        )

    def test_one_seed_takes_no_side(self) -> None:
        told = winner(evidence({"low": [LOW], "loft": [LOFT]}))
        assert told.headline.endswith("beyond chance in none; one seed, so no spread is known.")
        assert told.sentences[0].endswith("8 images; one seed, so no spread is known.")

    def test_the_winner_has_to_be_ahead_of_every_other(self) -> None:
        close = [[value + (0.1 if index % 2 else -0.05) for index, value in enumerate(LOFT)]] * 2
        told = winner(evidence({"low": [LOW, LOW], "flat": close, "loft": [LOFT, LOFT]}))
        assert "the next is bilinear with 2.52" in told.sentences[0]
        assert told.sentences[0].endswith(", which chance explains as well.")
        assert told.headline.endswith("ahead of all others beyond chance in none.")

    def test_equals_and_ties_between_data_sets(self) -> None:
        told = winner(evidence({"low": [LOFT, LOFT], "loft": [LOFT, LOFT]}, datasets=2))
        assert told.headline == "None: in 2 comparisons the best need equally few."
        assert told.sentences[0] == (
            "On photos (DINO, late), low-res and LoftUp need equally few, 2.50; 8 objects of 8 images."
        )

    def test_one_upsampler_is_no_contest(self) -> None:
        assert winner(evidence({"low": [LOW]})).headline.startswith("Not answered: no two upsamplers")
        assert winner(evidence({"low": [[NAN]], "loft": [[NAN]]})).headline.startswith("Not answered")


def test_against_none_and_bilinear() -> None:
    worse = [[value + 0.5 for value in LOW]] * 2
    told = against_references(evidence({"low": [LOW, LOW], "flat": worse, "loft": [LOFT, LOFT]}))
    assert told.headline == (
        "Against no upsampling: fewer clicks: LoftUp; more clicks: bilinear. Against bilinear interpolation: "
        "fewer clicks: LoftUp."
    )
    assert told.sentences[0] == (
        "bilinear against no upsampling: +0.50 clicks [+0.50, +0.50] (8 objects), beyond chance."
    )
    assert len(told.sentences) == 3  # low-res is compared with bilinear once
    several = against_references(evidence({"low": [LOW], "loft": [LOFT]}, datasets=2))
    assert several.sentences[0] == (
        "LoftUp against no upsampling: fewer clicks in 2 of 2 comparisons (beyond chance in 0), more in 0 "
        "(beyond chance in 0); differences from −2.00 to −2.00; one seed, so no spread is known."
    )
    assert several.headline == "Against no upsampling: undecided (one seed): LoftUp."
    assert several.sentences[1] == "Against bilinear interpolation: not known, for no cell has it."
    assert against_references(evidence({"loft": [LOFT]})).headline.startswith("Not answered")


def test_late_against_early() -> None:
    told = late_or_early(evidence({("loft", "early"): [LOW, LOW], ("loft", "late"): [LOFT, LOFT]}))
    assert told.headline == "Fewer clicks: late against early."
    assert told.sentences == (
        "late against early: −2.00 clicks [−2.00, −2.00] (8 objects), beyond chance; the click encoder "
        "differs too: simple_vit and patch_embed.",
    )
    assert late_or_early(evidence({"loft": [LOFT]})).headline.startswith("Not answered: no early and late")


class TestWhoKnew:
    CLICKS = (("low", 4.0), ("flat", 5.0), ("loft", 2.0))

    def told(self, scores: Mapping[str, Mapping[str, Any]]) -> Any:
        clicks = {name: [[noc] * 6, [noc] * 6] for name, noc in self.CLICKS}
        return who_knew(evidence(clicks, qualities(scores)))

    def test_ranks_hits_and_what_the_choice_costs(self) -> None:
        scores = {
            "low": {"SC": 2.0, "EF": 9.0, "probe_mIoU": None},
            "flat": {"SC": 1.0, "EF": 8.0, "probe_mIoU": None},
            "loft": {"SC": 3.0, "EF": 7.0, "probe_mIoU": None},
        }
        told = self.told(scores)
        assert told.headline == (
            "Undecided (fewer than 6 upsamplers): SC and EF; undecided (not tested): linear probe."
        )
        sc, ef, probe = told.sentences
        assert sc.startswith("SC: rank correlation with fewer clicks 1.00")
        assert "the fewest clicks in 1 of 1 comparison (100 %; at random 33 %, p = 0.33)" in sc
        assert "and 0.00 clicks more than the best on average, one drawn at random 1.67" in sc
        assert sc.endswith("; fewer than 6 upsamplers, too few to tell.")
        assert "EF: rank correlation with fewer clicks −0.50" in ef
        assert "in 0 of 1 comparison (0 %; at random 33 %, p = 1) and 2.00 clicks more" in ef
        assert probe == "Linear probe: nothing can be said (a rank correlation needs 3 pairs, there are 0)."

    def test_nothing_measured(self) -> None:
        assert "interactive.quality: null" in self.told({}).headline


def test_the_text_in_both_forms() -> None:
    own = evidence({"low": [LOW, LOW], "loft": [LOFT, LOFT]})
    text = upsampling_text(answers(own), reading_notes(own))
    assert text.md.startswith("## Which upsampler wins\n\n### Which upsampler needs the fewest clicks")
    assert text.md.count("### ") == text.html.count("<h3>") == 4
    assert "**LoftUp needs the fewest clicks in 1 of 1 comparison" in text.md
    assert "<p><b>LoftUp needs the fewest clicks in 1 of 1 comparison" in text.html
    assert "simple\\_vit" not in text.md  # no early model, nothing to say of click encoders
    assert "95 % percentile bootstrap over images (200 resamples)" in text.md
