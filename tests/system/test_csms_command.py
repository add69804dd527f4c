"""`voltbench csms` as a person starts it: on its ports, until told to stop."""

from __future__ import annotations

import json
import signal
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from ocpp.v16 import call

from tests.csms_live import a_csms_process, a_station
from tests.waiting import DEADLINE_S
from voltbench.apps.csms import csms
from voltbench.apps.up import up
from voltbench.errors import InvalidInput


async def test_it_serves_stations_and_their_wire_live_until_it_is_told_to_stop(tmp_path: Path):
    with a_csms_process(tmp_path, "--heartbeat", "77", "--unknown-tokens", "accepted") as running:
        async with (
            a_station(running.url) as station,
            httpx.AsyncClient(base_url=running.api, trust_env=False) as client,
        ):
            boot = call.BootNotification(charge_point_vendor="Acme", charge_point_model="One")
            assert (await station.tells(boot)).interval == 77
            follow = client.stream("GET", "/csms/stations/CP1/wire", headers={"Accept": "text/event-stream"})
            async with follow as stream:
                lines = stream.aiter_lines()
                seen = [await frame_in(lines) for _ in range(2)]
                assert (await station.tells(call.Authorize(id_tag="X"))).id_tag_info["status"] == "Accepted"
                seen += [await frame_in(lines) for _ in range(2)]
                assert [(one[0], one[1]) for one in seen] == [(1, "in"), (2, "out"), (3, "in"), (4, "out")]
                assert '"Authorize"' in seen[2][2]
                running.process.send_signal(signal.SIGTERM)
                assert [line async for line in lines if line.startswith("data:")] == []
        assert running.process.wait(DEADLINE_S) == 0


async def frame_in(lines) -> tuple[int, str, str]:
    """The next frame that a stream tells of."""
    async for line in lines:
        if line.startswith("data: "):
            told = json.loads(line.removeprefix("data: "))
            return told["number"], told["direction"], told["frame"]
    raise AssertionError("the stream has ended")


async def test_it_serves_stations_behind_tls_too(tmp_path: Path):
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "ours.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with a_csms_process(tmp_path, "--tls-port", "0", "--tls-cert", str(tmp_path / "ours.pem")) as running:
        async with a_station(f"wss://127.0.0.1:{running.tls_port}/ocpp", ssl=trusting) as station:
            await station.tells(call.Heartbeat())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"unknown": "perhaps"}, "unknown"),
        ({"unknown_tokens": "x"}, "unknown-tokens"),
        ({"http_port": 70_000}, "http-port"),
        ({"heartbeat": 0}, "heartbeat"),
        ({"ping": -1.0}, "ping"),
        ({"most_stations": -1}, "most-stations"),
        ({"forget_unknown": -1.0}, "forget-unknown"),
        ({"tls_key": Path("key.pem")}, "tls-key"),
        ({"tls_ca": Path("ca.pem")}, "tls-ca"),
    ],
)
def test_what_it_cannot_do_it_says_before_it_does_anything(wrong, field):
    for command in (csms, up) if "port" not in field and field != "heartbeat" else (csms,):
        with pytest.raises(InvalidInput) as refusal:
            command(**wrong)
        assert refusal.value.field == field


@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_directory_that_cannot_be_one_is_told_in_a_line(tmp_path: Path, below: str):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="data: cannot be used"):
        csms(port=0, http_port=0, data=tmp_path / below)
