"""`voltbench home` as people run it: a process, talked to over HTTP, stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.programs import voltbench
from tests.waiting import DEADLINE_S, eventually

COMMAND = [str(Path(sys.executable).with_name("voltbench")), "home", "--port", "0"]


def started(directory: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], str, Path]:
    """A home that listens, where, and its log."""
    log = directory / "home.log"
    with log.open("wb") as said:
        process = subprocess.Popen([*COMMAND, *arguments], cwd=directory, stdout=said, stderr=said)

    def look() -> str | None:
        assert process.poll() is None, log.read_text()
        found = re.search(r"listening on (http://\S+)", log.read_text())
        return found.group(1) if found else None

    return process, eventually(look), log


@pytest.mark.parametrize(
    ("number", "arguments", "told", "kind"),
    [
        (signal.SIGINT, (), "20", "the course's home"),
        (signal.SIGTERM, ("--start-soc", "0.5", "--cap-soc", "0.8", "--prices", "prices.json"), "50", "on the engine"),
    ],
)
def test_it_serves_a_home_until_told_to_stop(
    tmp_path: Path, number: int, arguments: tuple[str, ...], told: str, kind: str
):
    (tmp_path / "prices.json").write_text(json.dumps([0.25] * 96))
    process, address, log = started(tmp_path, *arguments)
    try:
        assert httpx.get(f"{address}/charge").text == told
        assert len(httpx.get(f"{address}/priceperhour").json()) == (96 if arguments else 24)
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
    assert kind in log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--power-w", "5"), "power_w"),
        (("--speed", "0"), "speed"),
        (("--port", "70000"), "port"),
        (("--prices", "missing.json"), "missing.json"),
        (("--host", "0.0.0.0"), "--token"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(tmp_path: Path, arguments: tuple[str, ...], words: str):
    log = tmp_path / "home.log"
    assert voltbench("home", "--port", "0", *arguments, directory=tmp_path, log=log).wait(DEADLINE_S) == 2
    (said,) = log.read_text().splitlines()
    assert words in said
