"""The message structs are as the generator makes them, and hold facts only."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tools.ocpp_messages import VERSIONS, Version, file_of, modules, schemas_of


@pytest.fixture(scope="module")
def generated() -> dict[Path, str]:
    return modules()


versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.number)


@versions
def test_the_messages_are_as_the_schemas_have_them(version: Version, generated: dict[Path, str]):
    file = file_of(version)
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    assert written == generated[file], f"{file.name} of OCPP {version.number} is out of date: run make ocpp-messages"


@versions
def test_no_sentence_of_the_schemas_is_copied(version: Version):
    written = words(file_of(version).read_text(encoding="utf-8"))
    for name, schema in schemas_of(version).items():
        for description in descriptions(schema):
            for sentence in re.split(r"[.\r\n]+", description):
                if len(sentence.split()) > 4:  # fewer are names: the schemas call members so
                    assert words(sentence) not in written, name


@versions
def test_each_action_is_called_by_somebody(version: Version):
    messages = import_module(f"voltbench.ocpp.{version.package}.messages")
    assert messages.FROM_STATION | messages.FROM_CSMS == messages.REQUESTS.keys() == messages.RESPONSES.keys()
    by_both = messages.FROM_STATION & messages.FROM_CSMS
    assert by_both == {"DataTransfer"}


@pytest.mark.parametrize(("package", "actions", "from_station"), [("v16", 39, 14), ("v201", 64, 25)])
def test_no_message_is_missing(package: str, actions: int, from_station: int):
    messages = import_module(f"voltbench.ocpp.{package}.messages")
    assert (len(messages.REQUESTS), len(messages.FROM_STATION)) == (actions, from_station)


def descriptions(found: Any) -> list[str]:
    if isinstance(found, list):
        return [text for member in found for text in descriptions(member)]
    if not isinstance(found, dict):
        return []
    own = [found["description"]] if isinstance(found.get("description"), str) else []
    return own + [text for member in found.values() for text in descriptions(member)]


def words(text: str) -> str:
    return f" {' '.join(re.findall(r'[a-z0-9]+', text.lower()))} "
