"""The page about OCPP says of every message what comes of it, on both sides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ocpp16 import OnTheBench
from voltbench.ocpp.v16.csms.visit import HANDLERS
from voltbench.ocpp.v16.messages import FROM_CSMS, FROM_STATION

PAGE = (Path(__file__).parents[2] / "docs" / "ocpp.md").read_text(encoding="utf-8")


def messages_under(heading: str) -> list[str]:
    """What the table below a heading is about, line by line."""
    (section,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    table = section[section.index("| message |") :].split("\n\n")[0]
    return [name for line in table.splitlines()[2:] for name in line.split("|")[1].strip().split(", ")]


@pytest.mark.parametrize("heading", ["What a station tells", "What it does with what it is told"])
def test_every_message_of_a_station_is_told_of(heading):
    assert sorted(messages_under(heading)) == sorted(FROM_STATION) == sorted(HANDLERS)


@pytest.mark.parametrize("heading", ["What a station is asked for", "What it does with what it asks"])
def test_every_message_to_a_station_is_told_of(heading):
    assert sorted(messages_under(heading)) == sorted(FROM_CSMS) == sorted(OnTheBench().station._handles)
