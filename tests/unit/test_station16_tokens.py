"""Who may charge at a station of OCPP 1.6, and where: remote starts, reservations, groups, what list and cache know."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.charging.authorization import LARGEST_CACHE
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import rfc3339


def known_as(status: m.AuthorizationStatus, group: str | None = None) -> m.IdTagInfo:
    return m.IdTagInfo(status=status, parent_id_tag=UNSET if group is None else group)


def says(bench: OnTheBench, status: m.AuthorizationStatus, group: str | None = None) -> OnTheBench:
    """The CSMS thinks so of every token, and of its group."""
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=known_as(status, group))
    return bench


def reserve(bench: OnTheBench, evse: int = 1, token: str = "VIP", group: str | None = None) -> Any:
    request = m.ReserveNow(
        connector_id=evse,
        expiry_date=rfc3339(bench.now + 3_600_000),
        id_tag=token,
        parent_id_tag=UNSET if group is None else group,
        reservation_id=1,
    )
    return bench.ask(request, m.ReserveNowResponse).status


def start(bench: OnTheBench, token: str = "APP", evse: int | None = None) -> Any:
    request = m.RemoteStartTransaction(connector_id=UNSET if evse is None else evse, id_tag=token)
    return bench.ask(request, m.RemoteStartTransactionResponse).status


def started(bench: OnTheBench) -> list[tuple[int, str]]:
    return [(told.connector_id, told.id_tag) for told in bench.told("StartTransaction")]


def a_list(bench: OnTheBench, *tokens: tuple[str, m.IdTagInfo]) -> None:
    entries = tuple(m.AuthorizationData(id_tag=token, id_tag_info=info) for token, info in tokens)
    request = m.SendLocalList(list_version=1, local_authorization_list=entries, update_type="Full")
    assert bench.ask(request, m.SendLocalListResponse).status == "Accepted"


# --- where a remote start goes ---------------------------------------------------------------------------------------


def test_a_remote_start_that_names_no_connector_leaves_what_is_reserved_for_others():
    bench = OnTheBench()
    reserve(bench, evse=1)
    assert start(bench) == "Accepted"
    assert (bench.statuses(1)[-1], bench.statuses(2)[-1]) == ("Reserved", "Preparing")


def test_it_does_not_charge_a_stranger_s_car_that_is_done():
    bench = OnTheBench()
    bench.plug_in(an_ac_car(), 1)
    bench.present("STRANGER", 1)
    bench.present("STRANGER", 1)
    assert start(bench) == "Accepted"
    assert (bench.statuses(1)[-1], bench.statuses(2)[-1]) == ("Finishing", "Preparing")
    bench.plug_in(an_ac_car(), 2)
    assert started(bench) == [(1, "STRANGER"), (2, "APP")]


def test_it_goes_where_a_car_waits_or_to_what_is_reserved_for_it():
    bench = OnTheBench()
    bench.plug_in(an_ac_car(), 2)
    assert start(bench) == "Accepted"
    assert started(bench) == [(2, "APP")]
    bench = OnTheBench()
    reserve(bench, evse=2, token="app")
    assert start(bench) == "Accepted"
    assert bench.statuses(2)[-1] == "Preparing"


def test_it_is_rejected_where_nobody_else_may_charge():
    bench = OnTheBench()
    reserve(bench, evse=1)
    assert start(bench, evse=1) == "Rejected"
    assert start(bench, evse=3) == "Rejected"
    assert start(bench, evse=2) == "Accepted"
    assert start(bench) == "Rejected"


def test_a_member_of_the_group_that_has_reserved_may_start_once_its_group_is_known():
    bench = says(OnTheBench(fixed={"AuthorizeRemoteTxRequests": "true"}), "Accepted", "fleet")
    reserve(bench, group="FLEET")
    bench.plug_in(an_ac_car(), 1)
    assert start(bench, "OTHER", evse=1) == "Accepted"
    assert started(bench) == [(1, "OTHER")]
    assert bench.told("StartTransaction")[0].reservation_id == 1


def test_who_turns_out_to_be_of_another_group_may_not():
    bench = says(OnTheBench(fixed={"AuthorizeRemoteTxRequests": "true"}), "Accepted", "TAXIS")
    reserve(bench, group="FLEET")
    bench.plug_in(an_ac_car(), 1)
    assert start(bench, "OTHER", evse=1) == "Accepted"
    assert bench.told("Authorize")
    assert not started(bench)


def test_a_group_that_list_or_cache_know_need_not_be_asked_for():
    bench = OnTheBench()
    a_list(bench, ("OTHER", known_as("Accepted", "FLEET")))
    reserve(bench, group="FLEET")
    bench.plug_in(an_ac_car(), 1)
    assert start(bench, "STRANGER", evse=1) == "Rejected"
    assert start(bench, "OTHER", evse=1) == "Accepted"
    assert started(bench) == [(1, "OTHER")]


def test_groups_are_the_same_in_any_case_as_tokens_are():
    bench = says(OnTheBench(), "Accepted", "Family")
    bench.plug_in(an_ac_car())
    bench.present("MUM", 1)
    says(bench, "Accepted", "FAMILY")
    bench.present("DAD", 1)
    assert bench.told("StopTransaction")[0].id_tag == "DAD"


def test_a_driver_at_the_reader_is_not_sent_to_what_others_have_reserved():
    bench = OnTheBench()
    reserve(bench, evse=1)
    bench.present("TAG")
    assert bench.statuses(2)[-1] == "Preparing"
    bench.present("vip")
    assert bench.statuses(1)[-1] == "Preparing"


# --- what list and cache know ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid"])
def test_only_who_is_accepted_need_not_wait_for_the_csms(status):
    bench = OnTheBench(fixed={"LocalPreAuthorize": "true"})
    a_list(bench, ("TAG", known_as(status)))
    bench.plug_in(an_ac_car())
    bench.present("TAG", 1)
    assert [told.id_tag for told in bench.told("Authorize")] == ["TAG"]
    assert started(bench) == [(1, "TAG")]


@pytest.mark.parametrize(("is_on", "charges"), [("true", True), ("false", False)])
def test_offline_the_list_counts_only_where_it_is_to(is_on, charges):
    bench = OnTheBench(fixed={"LocalAuthorizeOffline": is_on})
    a_list(bench, ("TAG", known_as("Accepted")))
    bench.lose_line()
    bench.plug_in(an_ac_car())
    bench.present("TAG", 1)
    assert (bench.station.life.evse(1).transaction is not None) == charges


def test_a_token_that_was_blocked_while_it_charged_offline_does_not_charge_again():
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    bench.present("TAG", 1)
    bench.unplug()
    bench.lose_line()
    bench.plug_in(an_ac_car())
    bench.present("TAG", 1)
    bench.advance(30)
    bench.unplug()
    blocked = known_as("Blocked")
    bench.answers["StartTransaction"] = lambda _: m.StartTransactionResponse(id_tag_info=blocked, transaction_id=5)
    bench.is_reachable = True
    bench.advance(300)
    bench.lose_line()
    bench.plug_in(an_ac_car())
    bench.present("TAG", 1)
    assert bench.station.life.evse(1).transaction is None


def test_what_the_cache_forgets_is_kept_no_longer():
    bench = OnTheBench(fixed={"ConnectionTimeOut": "1"})
    for number in range(LARGEST_CACHE + 20):
        bench.present(f"T{number}", 1)
        bench.advance(2)
    kept = {key for key in bench.memory if key.startswith("cache/")}
    assert len(kept) == LARGEST_CACHE
    assert "cache/t19" not in kept
    assert "cache/t20" in kept
