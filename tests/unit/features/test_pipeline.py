"""Reading ahead and writing behind: order, bounds, errors."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from vfm_fusion.features.encode import Background, ahead


@pytest.mark.parametrize("threads", [1, 4])
def test_results_come_in_order_and_no_more_than_depth_ahead(threads: int) -> None:
    started: list[int] = []

    def slow(item: int) -> int:
        started.append(item)
        time.sleep(0.001 * (item % 3))
        return item * item

    for taken, result in enumerate(ahead(slow, range(40), threads=threads, depth=5)):
        assert result == taken * taken
        assert len(started) <= taken + 5 + 1
    assert sorted(started) == list(range(40))


def test_an_error_is_raised_in_its_place() -> None:
    def fails(item: int) -> int:
        if item == 3:
            raise ValueError("item 3")
        return item

    results = ahead(fails, range(9), threads=2, depth=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(results)


def test_closing_stops_the_threads() -> None:
    before = threading.active_count()
    with closing(ahead(lambda item: item, range(1000), threads=3, depth=10)) as results:
        next(results)
    assert threading.active_count() == before


def test_items_are_written_in_order_and_waited_for() -> None:
    done: list[int] = []

    def write(item: int) -> None:
        time.sleep(0.001)
        done.append(item)

    with Background(write, depth=2) as background:
        for item in range(20):
            background.put(item)
            assert len(done) >= item - 2
    assert done == list(range(20))


@pytest.mark.parametrize("last", [3, 9])
def test_after_an_error_nothing_more_is_written(last: int) -> None:
    """Also an error of the very last item surfaces."""
    done: list[int] = []

    def write(item: int) -> None:
        if item == 3:
            raise OSError("disk full")
        done.append(item)

    def put_all() -> None:
        with Background(write, depth=2) as background:
            for item in range(last + 1):
                background.put(item)

    with pytest.raises(OSError, match="disk full"):
        put_all()
    assert done == [0, 1, 2]


def test_an_error_of_the_caller_drops_what_waits() -> None:
    done: list[int] = []
    go = threading.Event()

    def write(item: int) -> None:
        go.wait(10)
        done.append(item)

    def fail() -> None:
        with Background(write, depth=5) as background:
            for item in range(4):
                background.put(item)
            threading.Timer(0.05, go.set).start()
            raise KeyError("caller")

    with pytest.raises(KeyError, match="caller"):
        fail()
    assert done == [0]
