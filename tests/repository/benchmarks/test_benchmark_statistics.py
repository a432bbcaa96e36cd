"""Ratios, their intervals, verdicts and changes keep the laws that readers take for granted."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measuring.statistics import Costs, Interval, change, ratio, spread, verdict

COSTS = st.floats(1e-9, 1e3)
PAIRS = st.lists(st.tuples(COSTS, COSTS), min_size=1, max_size=12)
FACTORS = st.floats(1e-3, 1e3)


def sides(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def noisy(cost: float, rounds: int, noise: random.Random, sigma: float) -> list[float]:
    """Costs as a shared machine has them: most near to each other, some much higher."""
    return [
        cost * math.exp(noise.gauss(0, sigma)) * (1 + 0.5 * (noise.random() < 0.1))
        for _ in range(rounds)
    ]


def noisy_costs(factor: float, rounds: int, noise: random.Random, sigma: float = 0.05) -> Costs:
    """Of ours and theirs, where ours is dearer by this factor."""
    return Costs(noisy(2e-6 * factor, rounds, noise, sigma), noisy(1e-6, rounds, noise, sigma))


class TestRatio:
    @given(PAIRS)
    def test_the_interval_holds_its_middle(self, pairs: list[tuple[float, float]]) -> None:
        found = ratio(*sides(pairs))
        assert found.low <= found.middle <= found.high

    @given(PAIRS)
    def test_the_other_way_round_is_one_over_it(self, pairs: list[tuple[float, float]]) -> None:
        ours, theirs = sides(pairs)
        one, other = ratio(ours, theirs), ratio(theirs, ours)
        assert one.middle == pytest.approx(1 / other.middle)
        assert one.low == pytest.approx(1 / other.high if other.high else math.inf)

    @given(PAIRS, FACTORS)
    def test_it_grows_with_our_costs(self, pairs: list[tuple[float, float]], by: float) -> None:
        ours, theirs = sides(pairs)
        dearer = ratio([cost * by for cost in ours], theirs)
        assert dearer == pytest.approx([by * number for number in ratio(ours, theirs)])

    @given(PAIRS, st.randoms())
    def test_the_order_of_rounds_makes_no_difference(
        self, pairs: list[tuple[float, float]], order: random.Random
    ) -> None:
        shuffled = order.sample(pairs, len(pairs))
        assert ratio(*sides(shuffled)) == ratio(*sides(pairs))

    @given(COSTS, COSTS, st.integers(2, 20))
    def test_what_is_always_the_same_is_certain(
        self, ours: float, theirs: float, rounds: int
    ) -> None:
        assert ratio([ours] * rounds, [theirs] * rounds) == pytest.approx([ours / theirs] * 3)

    @given(st.lists(COSTS, min_size=6, max_size=20))
    def test_of_six_rounds_or_more_no_end_is_beyond_them(self, costs: list[float]) -> None:
        found = ratio(costs, [1] * len(costs))
        assert found.low >= min(costs) * (1 - 1e-9)
        assert found.high <= max(costs) * (1 + 1e-9)

    @pytest.mark.parametrize("rounds", [2, 3, 4, 5, 6, 7, 10, 15])
    def test_the_interval_holds_the_truth_in_95_of_100_cases(self, rounds: int) -> None:
        """Of few rounds, too; a plain bootstrap of three holds it in 75."""
        noise, tries = random.Random(rounds), 2_000
        held = 0
        for _ in range(tries):
            found = ratio([math.exp(noise.gauss(0, 0.05)) for _ in range(rounds)], [1] * rounds)
            held += found.low <= 1 <= found.high
        assert held / tries == pytest.approx(0.95, abs=0.02)

    def test_one_slow_round_of_ten_hardly_shows(self) -> None:
        costs = [1.0, 1.01, 1.02, 1.01, 0.99, 1.0, 1.0, 1.01, 0.99, 9.0]
        assert ratio(costs, [1] * 10).high < 1.03

    def test_of_one_round_nothing_is_known(self) -> None:
        assert ratio([2], [1])[1:] == (0, math.inf)

    def test_rounds_that_only_one_side_has_are_left_out(self) -> None:
        assert ratio([2, 2, 9], [1, 1]) == ratio([2, 2], [1, 1])

    def test_without_rounds_there_is_no_ratio(self) -> None:
        with pytest.raises(ValueError, match="no rounds"):
            ratio([], [1])

    @pytest.mark.parametrize(
        ("ours", "theirs", "expected"), [(0, 0, 1), (1, 0, math.inf), (0, 1, 0)]
    )
    def test_nothing_is_once_nothing(self, ours: float, theirs: float, expected: float) -> None:
        assert ratio([ours] * 3, [theirs] * 3) == (expected, expected, expected)

    @given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]))))
    def test_zeros_among_costs_make_no_nonsense(self, pairs: list[tuple[float, float]]) -> None:
        found = ratio(*sides([(1, 1), *pairs]))
        assert found.low <= found.middle <= found.high


class TestSpread:
    def test_it_is_half_the_distance_of_the_quartiles_over_the_median(self) -> None:
        assert spread([1, 2, 3, 4, 5]) == pytest.approx(1 / 3)

    @given(st.lists(COSTS, min_size=3), FACTORS)
    def test_it_has_no_unit(self, costs: list[float], by: float) -> None:
        assert spread([cost * by for cost in costs]) == pytest.approx(spread(costs))

    @pytest.mark.parametrize("costs", [[], [1], [1, 2], [0, 0, 0]])
    def test_of_nothing_to_tell_it_by_there_is_none(self, costs: list[float]) -> None:
        assert spread(costs) == 0


class TestVerdict:
    @given(PAIRS, FACTORS)
    def test_it_is_sure_only_where_the_interval_does_not_hold_the_limit(
        self, pairs: list[tuple[float, float]], limit: float
    ) -> None:
        found = ratio(*sides(pairs))
        sure = verdict(found, limit) != "can't tell"
        assert sure or found.low <= limit * (1 + 1e-6) <= found.high * (1 + 1e-5)

    def test_at_the_limit_what_is_certain_is_met(self) -> None:
        assert verdict(ratio([1.05] * 3, [1] * 3), 1.05) == "met"

    def test_above_the_limit_it_is_not_met(self) -> None:
        assert verdict(Interval(3, 2.5, 3.5), 2) == "not met"

    def test_around_the_limit_it_cannot_be_told(self) -> None:
        assert verdict(Interval(3, 2.6, 3.4), 3) == "can't tell"


class TestChange:
    def test_none_of_many_comparisons_of_equal_code_is_called_slower(self) -> None:
        """Of five rounds, on a machine that is never quiet."""
        noise = random.Random(7)
        words = {
            change(noisy_costs(1, 5, noise, sigma), noisy_costs(1, 5, noise, sigma)).word
            for sigma in (0.005, 0.02, 0.05, 0.07)
            for _ in range(200)
        }
        assert words == {"within noise"}

    @pytest.mark.parametrize("sigma", [0.005, 0.02, 0.05, 0.07])
    def test_what_costs_twice_as_much_is_always_slower(self, sigma: float) -> None:
        noise = random.Random(7)
        for _ in range(200):
            old, new = noisy_costs(1, 5, noise, sigma), noisy_costs(2, 5, noise, sigma)
            assert change(old, new).word == "slower"

    def test_on_a_quiet_machine_a_tenth_is_found_though_a_round_was_slow(self) -> None:
        noise = random.Random(7)
        old, new = ([noise.gauss(by, 0.005) for _ in range(7)] for by in (1, 1.12))
        old[3] *= 2
        assert change(Costs(old, [1] * 7), Costs(new, [1] * 7)).word == "slower"

    def test_less_than_a_twentieth_counts_for_nothing(self) -> None:
        old, new = Costs([1] * 7, [1] * 7), Costs([1.04] * 7, [1] * 7)
        assert change(old, new).word == "within noise"

    def test_counts_that_are_always_the_same_have_changed_if_they_differ(self) -> None:
        old, new = Costs([100] * 3, [100] * 3), Costs([110] * 3, [100] * 3)
        assert change(old, new).word == "slower"

    def test_slow_rounds_alone_are_no_change(self) -> None:
        """The lowest cost is what it was: something else was in the way."""
        old, new = Costs([1] * 7, [1] * 7), Costs([1, 2, 2, 2, 2, 2, 2], [1] * 7)
        assert change(old, new).word == "within noise"

    def test_one_round_tells_nothing(self) -> None:
        assert change(Costs([1], [1]), Costs([9], [1])).word == "within noise"

    def test_what_cost_nothing_and_costs_something_is_slower(self) -> None:
        assert change(Costs([0] * 3, [1] * 3), Costs([1] * 3, [1] * 3)).word == "slower"

    @given(PAIRS, PAIRS)
    def test_the_other_way_round_is_the_opposite(
        self, one: list[tuple[float, float]], other: list[tuple[float, float]]
    ) -> None:
        opposite = {"slower": "faster", "faster": "slower", "within noise": "within noise"}
        old, new = Costs(*sides(one)), Costs(*sides(other))
        forth, back = change(old, new), change(new, old)
        assert forth.word == opposite[back.word]
        assert forth.factor.middle == pytest.approx(1 / back.factor.middle)

    @given(PAIRS)
    def test_a_run_is_within_the_noise_of_itself(self, pairs: list[tuple[float, float]]) -> None:
        costs = Costs(*sides(pairs))
        found = change(costs, costs)
        assert found.word == "within noise"
        assert found.factor.middle == 1

    def test_the_interval_is_wider_than_that_of_either_run(self) -> None:
        noise = random.Random(7)
        old, new = noisy_costs(1, 7, noise), noisy_costs(1.2, 7, noise)
        found, alone = change(old, new).factor, ratio(*new)
        assert found.high / found.low > alone.high / alone.low
