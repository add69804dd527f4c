"""Local lists and the cache of a station of OCPP 1.6: who may charge without being asked for."""

from __future__ import annotations

from typing import Any

from tests.ocpp16 import ACCEPTED, INVALID, OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m


def charging(bench: OnTheBench, token: str = "TAG", evse: int = 1) -> OnTheBench:
    bench.plug_in(an_ac_car(), evse)
    bench.present(token, evse)
    bench.advance(1)
    return bench


def a_list(bench: OnTheBench, version: int, kind: m.UpdateType = "Full", **tokens: m.IdTagInfo | None) -> Any:
    entries = tuple(
        m.AuthorizationData(id_tag=token, id_tag_info=info) if info else m.AuthorizationData(id_tag=token)
        for token, info in tokens.items()
    )
    request = m.SendLocalList(list_version=version, local_authorization_list=entries, update_type=kind)
    return bench.ask(request, m.SendLocalListResponse).status


def version_of(bench: OnTheBench) -> Any:
    return bench.ask(m.GetLocalListVersion(), m.GetLocalListVersionResponse).list_version


def test_the_local_list_is_taken_changed_and_kept():
    bench = OnTheBench()
    assert version_of(bench) == 0
    assert a_list(bench, 3, GOOD=ACCEPTED, BAD=INVALID) == "Accepted"
    assert a_list(bench, 3, "Differential", NEW=ACCEPTED) == "VersionMismatch"
    assert a_list(bench, 4, "Differential", NEW=ACCEPTED, BAD=None) == "Accepted"
    assert version_of(OnTheBench(memory=bench.memory)) == 4
    bench.lose_line()
    bench.plug_in(an_ac_car())
    bench.present("BAD")
    assert bench.station.life.evse(1).transaction is None
    bench.present("new")
    assert bench.station.life.evse(1).transaction is not None


def test_who_is_known_need_not_wait_where_that_is_wanted():
    bench = OnTheBench(fixed={"LocalPreAuthorize": "true"})
    a_list(bench, 1, GOOD=ACCEPTED)
    charging(bench, "GOOD")
    assert not bench.told("Authorize")


def test_the_cache_remembers_and_forgets():
    bench = OnTheBench(fixed={"LocalPreAuthorize": "true"})
    charging(bench)
    bench.present("TAG")
    charging(bench, evse=2)
    assert len(bench.told("Authorize")) == 1
    assert bench.ask(m.ClearCache(), m.ClearCacheResponse).status == "Accepted"
    bench.present("TAG", 2)
    bench.present("TAG", 2)
    assert len(bench.told("Authorize")) == 2
    assert not any(key.startswith("cache/") and key != "cache/tag" for key in bench.memory)
