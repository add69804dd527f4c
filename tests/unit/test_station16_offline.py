"""A station of OCPP 1.6 without its CSMS: nothing about transactions is lost, doubled or out of order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ocpp16 import ACCEPTED, OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import rfc3339


def about_transactions(bench: OnTheBench) -> list[str]:
    return [a for a in bench.actions() if a in ("StartTransaction", "MeterValues", "StopTransaction")]


def offline(**keys: str) -> OnTheBench:
    bench = OnTheBench(fixed={"AllowOfflineTxForUnknownId": "true"} | keys)
    bench.lose_line()
    return bench


def test_a_transaction_that_began_and_ended_offline_is_told_in_order_with_its_times():
    bench = offline()
    began = bench.now
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(150)
    bench.present("TAG")
    bench.unplug()
    ended = bench.now
    assert about_transactions(bench) == []
    bench.is_reachable = True
    bench.advance(300)
    assert about_transactions(bench) == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    start, stop = bench.told("StartTransaction")[0], bench.told("StopTransaction")[0]
    assert (start.timestamp, stop.timestamp) == (rfc3339(began), rfc3339(ended))
    assert {told.transaction_id for told in bench.told("MeterValues")} == {stop.transaction_id} == {1001}
    assert not any(key.startswith(("queue/", "running/", "transaction/")) for key in bench.memory)


def test_a_transaction_goes_on_while_the_line_is_gone():
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(60)
    bench.lose_line()
    bench.advance(3_600)
    bench.is_reachable = True
    bench.advance(300)
    stamps = [value.timestamp for told in bench.told("MeterValues") for value in told.meter_value]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) == len(stamps) == 66
    assert bench.statuses() == ["Available", "Preparing", "Charging"]


def test_who_is_unknown_charges_offline_only_where_that_is_allowed():
    bench = OnTheBench()
    bench.lose_line()
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    assert bench.station.life.evse(1).transaction is None


def test_after_a_kill_an_open_transaction_ends_where_its_meter_was_read_last():
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(150)
    again = OnTheBench(memory=bench.memory, now=bench.now + 3_600_000)
    stop = again.told("StopTransaction")[0]
    assert (stop.transaction_id, stop.reason, stop.meter_stop) == (1001, "PowerLoss", 368)
    assert stop.timestamp == rfc3339(bench.now - 30_000)
    again.plug_in(an_ac_car())
    again.present("TAG")
    assert again.told("StartTransaction")[0].meter_start == 368


def test_after_a_kill_what_was_queued_is_told():
    bench = offline()
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(60)
    again = OnTheBench(memory=bench.memory, now=bench.now + 1_000)
    assert about_transactions(again) == ["StartTransaction", "MeterValues", "StopTransaction"]
    assert again.told("StopTransaction")[0].transaction_id == 1001


def test_a_message_that_is_sent_again_keeps_its_id_and_its_time():
    bench = OnTheBench()
    seen: list[m.StartTransaction] = []

    def deaf(request: m.StartTransaction) -> m.StartTransactionResponse | None:
        seen.append(request)
        return m.StartTransactionResponse(id_tag_info=ACCEPTED, transaction_id=5) if len(seen) > 1 else None

    bench.answers["StartTransaction"] = deaf
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(200)
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert bench.told("MeterValues")[-1].transaction_id == 5


def test_what_the_csms_can_never_process_is_given_up_after_some_attempts():
    bench = OnTheBench(fixed={"TransactionMessageAttempts": "2", "TransactionMessageRetryInterval": "10"})
    bench.answers["StartTransaction"] = lambda _: None
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(120)
    bench.present("TAG")
    bench.advance(120)
    assert len(bench.told("StartTransaction")) == 2
    assert bench.told("StopTransaction")[0].transaction_id == -1


def test_connecting_again_takes_longer_each_time_up_to_two_minutes():
    bench = OnTheBench()
    bench.lose_line()
    tried = list[int]()
    while len(tried) < 10:
        due = bench.station.next_wakeup()
        assert due is not None
        bench.advance((due - bench.now) / 1_000)
        tried.append(bench.now)
    waits = [(b - a) // 1_000 for a, b in pairwise(tried)]
    assert waits == [2, 4, 8, 16, 32, 64, 120, 120, 120]


DEEDS = ("line", "kill", "plug", "tag", "wait", "deaf")


def do(bench: OnTheBench, deed: str, amount: int) -> OnTheBench:
    """Let something happen; a killed station comes back with what it kept, and its CSMS remembers what it heard."""
    if deed == "line" and bench.is_reachable:
        bench.lose_line()
    elif deed == "line":
        bench.is_reachable = True
    elif deed == "kill":
        back = OnTheBench(memory=bench.memory, now=bench.now + amount, boots=False)
        back.heard, back.is_reachable, back.answers = bench.heard, bench.is_reachable, bench.answers
        return back
    elif deed == "plug" and bench.station.life.evse(1).is_plugged:
        bench.unplug()
    elif deed == "plug":
        bench.plug_in(an_ac_car())
    elif deed == "tag":
        bench.present("TAG", 1)
    elif deed == "deaf":
        bench.answers = {} if bench.answers else {"MeterValues": lambda _: None}
    else:
        bench.advance(amount)
    return bench


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(1, 400)), max_size=25))
def test_whatever_happens_each_start_and_stop_is_told_once_and_in_order(deeds):
    bench = offline()
    for deed, amount in deeds:
        bench = do(bench, deed, amount)
    bench.answers, bench.is_reachable = {}, True
    if bench.station.life.evse(1).transaction is not None:
        bench.unplug()
    bench.advance(7_200)
    begun = int(bench.memory.get("last", b"0"))
    told = [(name, request) for name, request in bench.heard if name in ("StartTransaction", "StopTransaction")]
    assert [name for name, _ in told] == ["StartTransaction", "StopTransaction"] * begun
    stamps = [request.timestamp for _, request in told]
    assert stamps == sorted(stamps)
    assert not any(key.startswith(("queue/", "running/", "transaction/")) for key in bench.memory)


# --- attempts --------------------------------------------------------------------------------------------------------


def hearing_times(bench: OnTheBench, action: str) -> list[int]:
    """Let the CSMS refuse an action from now on; return where it notes when it heard of it, in seconds from now."""
    times, began = list[int](), bench.now

    def refuse(_request: object) -> None:
        times.append((bench.now - began) // 1_000)

    bench.answers[action] = refuse
    return times


def test_each_attempt_waits_longer_than_the_one_before():
    bench = OnTheBench(fixed={"TransactionMessageAttempts": "4", "TransactionMessageRetryInterval": "10"})
    times = hearing_times(bench, "StartTransaction")
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(600)
    assert times == [0, 10, 30, 60]


def test_a_line_that_is_lost_is_no_refusal():
    bench = OnTheBench(fixed={"TransactionMessageAttempts": "2"})
    bench.holds = {"StartTransaction"}
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    for _ in range(4):
        bench.flicker()
    assert len(bench.told("StartTransaction")) == 5
    bench.holds = set()
    bench.flicker()
    bench.advance(60)
    assert bench.told("MeterValues")[-1].transaction_id == 1001


def test_attempts_are_counted_over_a_kill():
    keys = {"TransactionMessageAttempts": "2"}
    bench = OnTheBench(fixed=keys)
    bench.answers["StartTransaction"] = lambda _: None
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    again = OnTheBench(fixed=keys, memory=bench.memory, now=bench.now + 1_000, boots=False)
    again.answers["StartTransaction"] = lambda _: None
    again.advance(600)
    assert [len(one.told("StartTransaction")) for one in (bench, again)] == [1, 1]
    assert again.told("StopTransaction")[0].transaction_id == -1
