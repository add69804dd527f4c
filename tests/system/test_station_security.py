"""Our station and our CSMS behind TLS: with a password, then with a certificate that the CSMS has signed."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trustme

from tests.csms_live import soon
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_station.host import HostedStation
from voltbench.apps.station_choices import StationChoices, Stations

PASSWORD = "0123456789abcdef"


async def until(holds: Callable[[], object]) -> None:
    """Return once something holds."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  it holds in another program
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_secured_pair(folder: Path) -> AsyncIterator[tuple[HostedStation, httpx.AsyncClient, str]]:
    """A CSMS with a certificate, a station that trusts it, and the authority's certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("localhost")
    server.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    command = [str(Path(sys.executable).with_name("voltbench")), "csms", "--host", "localhost", "--port", "0"]
    command += ["--http-port", "0", "--tls-port", "0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  at once
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(3)]
    ports = {m[1]: int(m[2]) for line in said if (m := re.search(r"(wss?|http)://[^:]+:(\d+)", line))}
    keys = {"SecurityProfile": "2", "AuthorizationKey": PASSWORD}
    url = f"wss://localhost:{ports['wss']}"
    made = Stations(StationChoices(url, "alfen-eve-double-pro", ca=folder / "ca.pem", keys=keys), Catalog())
    async with httpx.AsyncClient(base_url=f"http://localhost:{ports['http']}", timeout=30) as client:
        (await client.put("/csms/stations/SAFE-1", json={"password": PASSWORD})).raise_for_status()
        try:
            yield made.add("SAFE-1"), client, (folder / "ca.pem").read_text()
        finally:
            await made.host.close()
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 30)
            process.stdout.close()


async def ask(client: httpx.AsyncClient, action: str, payload: dict[str, Any]) -> Any:
    """The answer of the station, once it is there to be asked."""

    async def sent() -> Any:
        told = await client.post(f"/csms/stations/SAFE-1/commands/{action}", json=payload)
        return told.json() if told.status_code == 202 else None

    asked = await soon(sent)
    return (await client.get(f"/csms/commands/{asked['id']}", params={"wait_s": 20})).json()["answer"]


async def test_from_a_password_to_a_certificate(tmp_path: Path) -> None:
    async with a_secured_pair(tmp_path) as (hosted, client, root):
        station = hosted.station

        async def the_next(visit: object) -> object:
            await until(lambda: hosted.ear not in (None, visit) and station.is_connected and station.is_accepted)
            return hosted.ear

        visit = await the_next(None)
        signing = (tmp_path / "data" / "csms" / "stations-ca.pem").read_text()
        for certificate in (root, signing):
            installed = {"certificateType": "CentralSystemRootCertificate", "certificate": certificate}
            assert await ask(client, "InstallCertificate", installed) == {"status": "Accepted"}
        known = await ask(client, "GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"})
        assert len(known["certificateHashData"]) == 2
        wanted = {"requestedMessage": "SignChargePointCertificate"}
        assert await ask(client, "ExtendedTriggerMessage", wanted) == {"status": "Accepted"}
        await until(lambda: any("CertificateSigned" in line for _, line in station._desk.diary))
        visit = await the_next(visit)
        changed = {"key": "SecurityProfile", "value": "3"}
        assert await ask(client, "ChangeConfiguration", changed) == {"status": "Accepted"}
        await the_next(visit)
        told = await ask(client, "GetConfiguration", {"key": ["SecurityProfile", "AuthorizationKey"]})
        assert told["configurationKey"][0]["value"] == "3"
        assert PASSWORD not in str(told)
        lower = {"key": "SecurityProfile", "value": "1"}
        assert await ask(client, "ChangeConfiguration", lower) == {"status": "Rejected"}
