"""How far a run has come, in numbers and in words."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from fluxus_rx._monitoring.calls import Count
from fluxus_rx._monitoring.progress import Progress, StepProgress, fitting_steps, share_done
from fluxus_rx._monitoring.reporting import Tracker
from tests.support.progress_meters import Scripted, at


def tracked(*moments: tuple[float, int], expected: int | None = None) -> StepProgress:
    """The last progress of a step that had done so much at these times."""
    meter = Scripted()
    tracker = Tracker(meter)
    found = []
    for now, done in moments:
        meter.now, meter.says = now, (Count("fetch", done, 1, 0, expected),)
        found.append(tracker.progress())
    return found[-1].steps[0]


class TestRates:
    def test_the_rate_is_zero_before_any_time_has_passed(self) -> None:
        """No time has passed, and nothing is divided by it."""
        assert tracked((0.0, 5)).rate == 0.0

    def test_the_rate_counts_from_the_beginning_at_first(self) -> None:
        """In the first ten seconds, the rate is that of the run so far."""
        assert tracked((1.0, 100), (2.0, 120), (4.0, 200)).rate == 50.0

    def test_the_rate_is_that_of_the_last_ten_seconds(self) -> None:
        """What was fast a minute ago is slow now."""
        fast = [(float(now), 100 * now) for now in range(1, 31)]
        slow = [(float(now), 3_000 + (now - 30)) for now in range(31, 61)]
        assert tracked(*fast).rate == 100.0
        assert tracked(*fast, *slow).rate == 1.0

    def test_the_rate_is_the_same_however_often_one_looks(self) -> None:
        """A display that looks ten times a second sees the same window as one that looks seldom."""
        often = [(tenth / 10, tenth) for tenth in range(1, 301)]
        assert tracked(*often).rate == pytest.approx(10.0)
        assert tracked((5.0, 50), (10.0, 100), (30.0, 300)).rate == pytest.approx(10.0)

    def test_looking_often_keeps_few_moments(self) -> None:
        """Memory does not grow with the number of looks."""
        meter = Scripted()
        tracker = Tracker(meter)
        for look in range(5_000):
            meter.now, meter.says = look / 50, (Count("fetch", look, 0, 0, None),)
            tracker.progress()
        assert len(tracker._moments) <= 23

    def test_a_step_that_began_late_is_not_judged_by_the_time_before(self) -> None:
        """A step far from the source has a rate of its own from its first items on."""
        meter = Scripted()
        tracker = Tracker(meter)
        meter.now, meter.says = 8.0, (Count("fetch", 0, 0, 0, 100),)
        assert tracker.progress().steps[0].eta is None
        meter.now, meter.says = 9.0, (Count("fetch", 20, 0, 0, 100),)
        assert tracker.progress().steps[0].rate == 20.0
        assert tracker.progress().steps[0].eta == 4.0

    def test_at_the_end_the_rate_is_that_of_the_whole_run(self) -> None:
        """The last word is about all of the run, not about its last seconds."""
        meter = Scripted()
        tracker = Tracker(meter)
        for meter.now, done in (10.0, 900), (20.0, 1_000):
            meter.says = (Count("fetch", done, 0, 0, 1_000),)
            tracker.progress()
        last = tracker.progress("done")
        assert (last.steps[0].rate, last.steps[0].eta, last.eta) == (50.0, None, None)
        assert (last.state, last.elapsed) == ("done", 20.0)


class TestWhatIsLeft:
    def test_the_eta_is_what_is_left_at_the_rate(self) -> None:
        """25 of 100 in 5 seconds leave 15 seconds."""
        assert tracked((5.0, 25), expected=100).eta == 15.0

    def test_failed_calls_are_not_waited_for(self) -> None:
        """Failed calls are over."""
        assert at(done=90, failed=10, expected=100).remaining == 0
        assert at(done=90, failed=10, expected=100).is_over

    def test_nothing_is_left_of_a_step_that_did_more_than_was_expected(self) -> None:
        """An expectation that was too small leads to no time below zero."""
        assert tracked((5.0, 120), expected=100).eta == 0.0

    @pytest.mark.parametrize("expected", [None, 100])
    def test_there_is_no_eta_without_an_expectation_or_a_rate(self, expected: int | None) -> None:
        """Nobody knows, and nobody says."""
        assert tracked((5.0, 0 if expected else 50), expected=expected).eta is None

    def test_the_eta_of_a_run_is_that_of_its_slowest_step(self) -> None:
        """A run ends when its last step does."""
        meter = Scripted()
        meter.now = 5.0
        meter.says = (Count("src", 100, 0, 0, 100), Count("fetch", 25, 9, 0, 100))
        assert Tracker(meter).progress().eta == 15.0
        meter.says = (*meter.says, Count("expand", 3, 0, 0, None))
        assert Tracker(meter).progress().eta is None

    def test_a_run_without_steps_has_no_eta(self) -> None:
        """At the very first look there may be no step yet."""
        assert Tracker(Scripted()).progress() == Progress(0.0, (), None, "running")


class TestShare:
    @pytest.mark.parametrize(
        ("step", "expected"),
        [
            (at(done=1, expected=4), 0.25),
            (at(done=1, failed=1, expected=4), 0.5),
            (at(done=9, in_flight=1, expected=4), 1.0),
            (at(expected=0), 1.0),
            (at(done=1), None),
            (at(in_flight=1), None),
            (at(), 0.0),
        ],
    )
    def test_a_bar_is_as_long_as_what_is_over(
        self, step: StepProgress, expected: float | None
    ) -> None:
        """A step that has begun and whose end is unknown has no share."""
        assert share_done(step, "running") == expected

    def test_a_bar_stands_still_at_the_end(self) -> None:
        """It is full after a run that went well, and where it was after one that did not."""
        unknown, half = at(done=5), at(done=5, expected=10)
        assert [share_done(unknown, "done"), share_done(half, "done")] == [1.0, 1.0]
        assert [share_done(unknown, "failed"), share_done(half, "cancelled")] == [0.0, 0.5]


class TestWords:
    @pytest.mark.parametrize(
        ("step", "text"),
        [
            (at(), "fetch 0"),
            (at(expected=1_000), "fetch 0/1,000"),
            (at(done=7, in_flight=1), "fetch 7 (1 in flight)"),
            (at(done=7, failed=1_000), "fetch 7 (1,000 failed)"),
            (at(done=7, rate=0.5), "fetch 7 (30/min)"),
            (at(done=7, expected=9, rate=2.0, eta=0.2), "fetch 7/9 (2.0/s, ETA 1 s)"),
            (at(done=9, expected=9, rate=2.0, eta=0.0), "fetch 9/9 (2.0/s)"),
            (at(done=9, expected=9, rate=2.0, per_call=0.5), "fetch 9/9 (2.0/s, 500 ms each)"),
            (at(waiting=2, expected=9, per_call=0.5), "fetch 0/9 (2 waiting)"),
            (at(done=7, blocked=True), "fetch 7 (blocked)"),
        ],
    )
    def test_a_step_says_what_there_is_to_say(self, step: StepProgress, text: str) -> None:
        """Zeros are left out; what a call took is told once the step is over."""
        assert str(step) == text

    @pytest.mark.parametrize(
        ("progress", "text"),
        [
            (Progress(0.04, (), None, "running"), "0.0 s"),
            (Progress(12.0, (at(), at("parse")), 9.0, "running"), "12.0 s: fetch 0, parse 0"),
            (Progress(83.0, (at(),), None, "done"), "done after 1 min 23 s: fetch 0"),
            (Progress(3.0, (), None, "paused"), "paused at 3.0 s"),
            (Progress(3.0, (at(),), 2.0, "draining"), "draining at 3.0 s: fetch 0"),
            (Progress(3.0, (), None, "failed"), "failed after 3.0 s"),
            (Progress(3.0, (), None, "cancelled"), "cancelled after 3.0 s"),
        ],
    )
    def test_a_run_is_one_line(self, progress: Progress, text: str) -> None:
        """The time, or how it has ended, then step by step."""
        assert str(progress) == text

    def test_a_line_of_a_large_flow_is_short(self) -> None:
        """A line that nobody can read is of no use."""
        steps = tuple(at(f"step{index}", done=5) for index in range(2_000))
        assert str(Progress(1.0, steps, None, "running")).endswith(", … 1,993 more steps 9,965")

    def test_a_progress_can_be_kept_and_sent(self) -> None:
        """It is plain data: equal by value, hashable, picklable, and it does not change."""
        progress = Progress(1.0, (at(done=1),), None, "running")
        assert pickle.loads(pickle.dumps(progress)) == progress
        assert hash(progress) == hash(dataclasses.replace(progress))
        with pytest.raises(dataclasses.FrozenInstanceError):
            progress.elapsed = 2.0  # type: ignore[misc]


class TestChoice:
    def names(self, steps: list[StepProgress], room: int) -> list[str]:
        return [step.step for step in fitting_steps(steps, room)]

    def test_what_has_room_is_shown_as_it_is(self) -> None:
        """Nothing is summed up without need."""
        steps = [at(name) for name in "abc"]
        assert fitting_steps(steps, 3) == steps
        assert fitting_steps([], 3) == []

    def test_steps_at_work_are_shown_before_those_that_wait_or_are_over(self) -> None:
        """One sees where the run is, in the order of the flow."""
        over = [at(f"over{index}", done=5, expected=5) for index in range(5)]
        busy = [at("busy", done=3, in_flight=2, expected=5), at("broken", failed=1, expected=5)]
        later = [at(f"later{index}", expected=5) for index in range(5)]
        steps = [*over, *busy, *later]
        assert self.names(steps, 3) == ["busy", "broken", "… 10 more steps"]
        assert self.names(steps, 5) == ["busy", "broken", "later0", "later1", "… 8 more steps"]

    def test_what_is_not_shown_is_summed_up(self) -> None:
        """The numbers of a flow are all there, whatever the room."""
        steps = [at(done=1, in_flight=2, failed=3, expected=10, rate=1.0, eta=9.0)] * 4
        assert fitting_steps(steps, 2)[-1] == at("… 3 more steps", 3, 6, 9, 30, 0.0, 9.0)
        assert fitting_steps([*steps, at(done=1)], 1)[-1] == at("… 5 more steps", 5, 8, 12, None)


def test_a_name_cannot_write_to_the_terminal() -> None:
    """Line ends and escape sequences in the name of a class are shown, not sent."""
    shown = str(StepProgress("a\nb\x1b[31m", 1, 0, 0, 1, rate=0.0, eta=None))
    assert shown == r"a\nb\x1b[31m 1/1"
