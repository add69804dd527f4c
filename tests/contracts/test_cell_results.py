"""What simulations came to is kept once for each input."""

from __future__ import annotations

import asyncio

import pytest

from voltbench.adapters.cell_numbers import CellNumbers, Numbered
from voltbench.adapters.cell_results import CellResults, Result
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.apps.cells.forgetting import forget_old


@pytest.fixture
async def kept(url: str):
    results = await CellResults.open(url)
    yield results
    await results.close()


@pytest.fixture
def numbers(kept: CellResults) -> CellNumbers:
    return CellNumbers(kept.database)


async def test_a_record_is_kept_once_and_stays_as_it_was(kept: CellResults):
    await kept.keep([Result("a", True, b"first", b"f1"), Result("b", True, b"other", b"f2")], now=1)
    await kept.keep([Result("a", True, b"second", b"f3")], now=2)
    assert await kept.result("a") == Result("a", True, b"first", b"f1")


async def test_an_error_gives_way_to_what_is_found_later(kept: CellResults):
    await kept.keep([Result("a", False, b"the solver failed")], now=1)
    assert await kept.figures(["a"]) == {"a": None}
    await kept.keep([Result("a", True, b"record", b"f")], now=2)
    await kept.keep([Result("a", False, b"the solver failed")], now=3)
    assert await kept.result("a") == Result("a", True, b"record", b"f")


async def test_figures_of_thousands_are_found_at_once(kept: CellResults):
    await kept.keep([Result(f"h{i}", True, b"r", b"%d" % i) for i in range(1_700)], now=1)
    found = await kept.figures([f"h{i}" for i in range(2_000)])
    assert len(found) == 1_700
    assert found["h1699"] == b"1699"


async def test_what_is_old_is_forgotten(kept: CellResults):
    await kept.keep([Result("old", True, b"r", b"f")], now=1)
    await kept.keep([Result("new", True, b"r", b"f")], now=5)
    assert await kept.forget(before=5) == 1
    assert await kept.result("old") is None
    assert await kept.result("new") is not None


async def test_a_record_that_is_asked_for_again_is_kept_as_long_as_a_new_one(kept: CellResults):
    await kept.keep([Result("a", True, b"r", b"f"), Result("b", True, b"r", b"f"), Result("c", False, b"e")], now=1)
    assert await kept.asked_again(["a", "c", "unknown"], now=30) == {"a"}
    assert await kept.forget(before=30) == 2
    assert await kept.figures(["a", "b", "c"]) == {"a": b"f"}


async def test_what_is_old_is_forgotten_some_at_a_time(kept: CellResults):
    await kept.keep([Result(f"h{i}", True, b"r", b"f") for i in range(7)], now=1)
    assert [await kept.forget(before=2, limit=3) for _ in range(4)] == [3, 3, 1, 0]


async def test_the_errors_of_thousands_are_found_at_once(kept: CellResults):
    await kept.keep([Result(f"h{i}", i % 2 == 0, b"%d" % i, b"f" if i % 2 == 0 else None) for i in range(1_200)], now=1)
    found = await kept.errors([f"h{i}" for i in range(1_500)])
    assert len(found) == 600
    assert found["h1199"] == b"1199"


# --- the seed's numbers -----------------------------------------------------------------------------------------------


async def test_every_job_has_a_number_of_its_own_that_outlives_a_restart(numbers: CellNumbers, url: str):
    assert await numbers.last(1) == []
    first, second = await numbers.number_for("job-a", now=1), await numbers.number_for("job-b", now=2)
    assert (first, second) == (1, 2)
    assert await numbers.number_for("job-a", now=3) == first
    again = await CellResults.open(url)
    assert await CellNumbers(again.database).numbered(first) == Numbered(first, "job-a", None)
    assert [one.number for one in await CellNumbers(again.database).last(5)] == [second, first]
    assert await CellNumbers(again.database).numbered(second + 1) is None
    await again.close()


async def test_numbers_that_others_have_counted_are_left_out(numbers: CellNumbers):
    for number in (2, 3, 5, 1_000):
        assert await numbers.give(number, f"theirs-{number}", now=1)
    assert [await numbers.number_for(f"ours-{i}", now=2) for i in range(4)] == [1, 4, 6, 7]
    assert await numbers.keep_answer(b"{}", now=3) == 8
    assert await numbers.numbered(8) == Numbered(8, None, b"{}")


async def test_a_number_of_others_goes_to_the_job_that_had_it_last_and_one_of_ours_stays(numbers: CellNumbers):
    ours = await numbers.number_for("ours", now=1)
    assert not await numbers.give(ours, "theirs", now=2)
    assert await numbers.give(ours, "ours", now=2)
    assert await numbers.give(70, "first", now=3)
    assert await numbers.give(70, "second", now=4)
    assert [one.job_id for one in await numbers.last(1)] == ["second"]


async def test_old_numbers_are_dropped_but_the_last_and_none_is_given_twice(numbers: CellNumbers):
    ours = [await numbers.number_for(f"job-{i}", now=i) for i in range(3)]
    assert await numbers.give(70, "theirs", now=1)
    assert [one.number for one in await numbers.old(before=9, limit=2)] == [ours[0], ours[1]]
    old = [one.number for one in await numbers.old(before=9, limit=10)]
    assert sorted(old) == [ours[0], ours[1], 70]
    assert await numbers.give(70, "theirs again", now=9)
    await numbers.drop(old, before=9)
    assert [await numbers.numbered(number) is None for number in (*ours, 70)] == [True, True, False, False]
    assert await numbers.number_for("another", now=10) == ours[-1] + 1


async def test_what_is_old_is_forgotten_and_a_job_that_goes_on_keeps_its_number(kept: CellResults, url: str):
    numbers = CellNumbers(kept.database)
    async with open_jobs(url, {}, is_worker=False) as jobs:
        ended, waiting, last = [(await jobs.submit("simulation", name)).id for name in (b"ended", b"waiting", b"last")]
        theirs = [await numbers.number_for(id, now=1) for id in (ended, waiting, last)]
        brought = await numbers.keep_answer(b"{}", now=1)
        await numbers.number_for("gone already", now=1)
        await jobs.cancel(ended)
        await forget_old(jobs, kept, before=(await jobs.job(last)).submitted_at + 1_000_000)
        assert {job.id for job in await jobs.jobs()} == {waiting, last}
        assert [await numbers.numbered(number) is None for number in (*theirs, brought)] == [True, False, False, True]


async def test_many_who_ask_at_once_get_numbers_of_their_own(numbers: CellNumbers):
    given = await asyncio.gather(*[numbers.number_for(f"job-{i}", now=i) for i in range(60)])
    assert sorted(given) == list(range(1, 61))
