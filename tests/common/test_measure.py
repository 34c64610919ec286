"""snippets/common/measure.py, with a clock that only the functions advance."""

import pytest

from snippets.common import measure


class Clock:
    """CPU time that passes only in calls of the functions it makes."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.calls = []
        monkeypatch.setattr(measure, "process_time", lambda: self.now)

    def function(self, name, *seconds):
        """Return a function whose calls take the given times in turn, the last for ever after."""
        left = list(seconds)

        def call():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_the_ratio_of_constant_times_is_exact(clock):
    assert measure.ratio(clock.function("f", 3.0), clock.function("g", 2.0)) == 1.5


def test_one_interruption_does_not_count(clock):
    f = clock.function("f", 1.0, 1.0, 900.0, 1.0)
    assert measure.ratio(f, clock.function("g", 1.0), repeats=5, number=1) == 1


def test_the_two_take_turns_and_turns_at_going_first(clock):
    measure.ratio(clock.function("f", 1.0), clock.function("g", 1.0), repeats=3, number=1)
    assert "".join(clock.calls) == "fggffg"


def test_a_drift_of_the_clock_cancels(clock):
    """A machine that slows down by 1% a call: the median of swapped pairs stays near 1."""
    times = [1.01**i for i in range(18)]
    f = clock.function("f", *(times[i] for i in range(18) if i % 4 in (0, 3)))
    g = clock.function("g", *(times[i] for i in range(18) if i % 4 in (1, 2)))
    assert measure.ratio(f, g, number=1) == pytest.approx(1, abs=0.011)


def test_number_is_the_first_power_of_two_that_the_faster_one_resolves(clock):
    f, g = clock.function("f", 1.0), clock.function("g", measure.RESOLVED / 3)
    measure.ratio(f, g, repeats=1)
    assert clock.calls.count("g") == 1 + 2 + 4 + 4  # three trials, then the one pair


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"number": 0}, {"number": -1}])
def test_there_must_be_something_to_time(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        measure.ratio(int, int, **wrong)


def test_a_g_that_takes_no_time_gives_no_ratio(clock):
    with pytest.raises(ValueError, match="raise number"):
        measure.ratio(clock.function("f", 1.0), clock.function("g", 0.0), number=1)


def test_twice_the_work_takes_more_time():
    """The real clock, with a margin that no busy machine uses up."""

    def work(n):
        return lambda: sum(range(n))

    assert measure.ratio(work(40_000), work(10_000)) > 1.5
