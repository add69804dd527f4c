"""A home's plan as JSON, in the words of `HomePlan`. What it leaves out is as in the course."""

from __future__ import annotations

from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.errors import InvalidInput
from voltbench.running.home.plan import HomePlan


def parse(text: bytes | str) -> HomePlan:
    """The plan a JSON text gives. Raises UnreadableJson (not JSON) or InvalidInput (naming the field)."""
    return plan_of(json_text.parse(text))


def plan_of(table: Any) -> HomePlan:
    """The plan that a parsed JSON object gives. Raises InvalidInput that names the field."""
    if not isinstance(table, dict):
        raise InvalidInput("home", "is no JSON object", found=strict.shown(table), allowed="an object; {} is allowed")
    return strict.convert(table, HomePlan)


def text_of(plan: HomePlan) -> str:
    """The JSON text of a plan; parsed again it is the same plan."""
    return msgspec.json.encode(plan).decode()
