"""Files between a station of ours and our CSMS: by its own end point, or by a server of FTP beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.csms_live import LiveCsms, a_csms, soon
from tests.file_servers import Ftp, running
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_csms.files import Files
from voltbench.apps.api.csms.app import make_csms_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.serving import listening, serve
from voltbench.apps.station_choices import StationChoices, Stations

SPEED = 60.0
PASSWORD = "0123456789abcdef"
TOKEN = "a-token-that-is-long-enough"
FIRMWARE = b"2.0.0\n" + bytes(range(256)) * 1_000


@dataclass
class Place:
    """Where a station is told to deliver files, or to fetch them; and what has been delivered there."""

    url: str
    held: Callable[[], dict[str, bytes]]
    put: Callable[[str, bytes], object]


@asynccontextmanager
async def an_end_point(csms: LiveCsms, directory: Path) -> AsyncIterator[Place]:
    """The CSMS's own, where a token is asked for: stations show their password instead."""
    files, stop = directory / "csms" / "files", asyncio.Event()
    files.mkdir(parents=True, exist_ok=True)
    with listening("127.0.0.1", 0) as door:
        app = make_csms_app(csms.service, trust_for("127.0.0.1", TOKEN))
        serving = asyncio.create_task(serve(app, door, stop))
        stations, operators = (
            f"http://{who}@127.0.0.1:{door.getsockname()[1]}/csms/files/" for who in (f"CP1:{PASSWORD}", f"me:{TOKEN}")
        )
        try:
            yield Place(
                stations,
                lambda: {path.name: path.read_bytes() for path in files.glob(".stations/CP1/*")},
                lambda name, content: httpx.put(operators + name, content=content).raise_for_status(),
            )
        finally:
            stop.set()
            await serving


@asynccontextmanager
async def a_server_of_ftp(_csms: LiveCsms, _directory: Path) -> AsyncIterator[Place]:
    with running(Ftp()) as server:
        url = f"ftp://127.0.0.1:{server.server_address[1]}/pub/"
        yield Place(
            url,
            lambda: {path.rpartition("/")[2]: content for path, content in server.files.items()},
            lambda name, content: server.files.update({f"/pub/{name}": content}),
        )


@asynccontextmanager
async def a_station_of_ours(csms: LiveCsms) -> AsyncIterator[None]:
    choices = StationChoices(csms.url, "alfen-eve-double-pro", SPEED, keys={"AuthorizationKey": PASSWORD})
    made = Stations(choices, Catalog())
    hosted = made.add("CP1")

    async def is_accepted() -> bool | None:
        return hosted.station.is_accepted or None

    try:
        await soon(is_accepted)
        yield
    finally:
        await made.host.close()


async def told(csms: LiveCsms, kind: str) -> list[str]:
    """The statuses that the station has told of, the oldest first."""
    events = (await csms.get(f"/csms/stations/CP1/events?kind={kind}"))["events"]
    return [event["content"]["status"] for event in reversed(events)]


async def until_told(csms: LiveCsms, kind: str, status: str) -> list[str]:
    async def look() -> list[str] | None:
        found = await told(csms, kind)
        return found if found[-1:] == [status] else None

    return await soon(look)


@pytest.mark.parametrize("served_by", [an_end_point, a_server_of_ftp])
async def test_diagnostics_and_logs_are_delivered_and_firmware_is_fetched(tmp_path: Path, served_by: Any):
    async with a_csms(tmp_path) as csms, served_by(csms, tmp_path) as place:
        await csms.put("/csms/stations/CP1", password=PASSWORD)
        async with a_station_of_ours(csms):
            asked = await csms.command("CP1", "GetDiagnostics", {"location": place.url})
            assert await until_told(csms, "DiagnosticsStatusNotification", "Uploaded") == ["Uploading", "Uploaded"]
            assert b"asked to GetDiagnostics" in place.held()[asked["answer"]["fileName"]]

            log = {"logType": "SecurityLog", "requestId": 7, "log": {"remoteLocation": f"{place.url}security.log"}}
            await csms.command("CP1", "GetLog", log)
            assert await until_told(csms, "LogStatusNotification", "Uploaded") == ["Uploading", "Uploaded"]
            assert "security.log" in place.held()

            await asyncio.to_thread(place.put, "fw.bin", FIRMWARE)
            now = "2026-03-02T00:00:00Z"
            await csms.command("CP1", "UpdateFirmware", {"location": f"{place.url}fw.bin", "retrieveDate": now})
            steps = await until_told(csms, "FirmwareStatusNotification", "Installed")
            assert steps == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert (await csms.get("/csms/stations/CP1"))["boot"]["firmwareVersion"] == "2.0.0"


async def test_who_shows_nothing_delivers_nothing_and_says_so(tmp_path: Path):
    async with a_csms(tmp_path) as csms, an_end_point(csms, tmp_path) as place:
        async with a_station_of_ours(csms):
            location = place.url.replace(f"CP1:{PASSWORD}@", "")
            await csms.command("CP1", "GetDiagnostics", {"location": location})
            await until_told(csms, "DiagnosticsStatusNotification", "UploadFailed")
            await csms.command(
                "CP1", "UpdateFirmware", {"location": f"{location}fw", "retrieveDate": "2026-03-02T00:00:00Z"}
            )
            await until_told(csms, "FirmwareStatusNotification", "DownloadFailed")
        assert place.held() == {}


async def test_what_was_arriving_at_a_kill_is_gone_after_it(tmp_path: Path):
    files = tmp_path / "csms" / "files"
    (files / ".stations" / "CP1").mkdir(parents=True)
    for name in ("fw.bin", ".arriving-1", ".stations/CP1/log", ".stations/CP1/.arriving-2"):
        (files / name).write_bytes(FIRMWARE)
    async with a_csms(tmp_path) as csms:
        assert [one.name for one in await csms.service.files.all()] == ["fw.bin", "log"]
        assert names(files) == ["fw.bin", "log"]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


class SlowDisk(type(Path())):  # type: ignore[misc]
    """A path at which files are opened only after a while."""

    asked, is_ready, opened = (threading.Event() for _ in range(3))

    def open(self, *how: Any, **more: Any) -> Any:
        self.asked.set()
        assert self.is_ready.wait(60.0)
        file = super().open(*how, **more)
        self.opened.set()
        return file


async def test_who_gives_up_as_a_file_begins_leaves_nothing(tmp_path: Path):
    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    taking = asyncio.create_task(Files(SlowDisk(tmp_path)).take("fw.bin", nothing()))
    assert await asyncio.to_thread(SlowDisk.asked.wait, 60.0)
    taking.cancel()
    SlowDisk.is_ready.set()
    await asyncio.wait([taking])
    assert taking.cancelled()
    assert await asyncio.to_thread(SlowDisk.opened.wait, 60.0)
    assert names(tmp_path) == []
