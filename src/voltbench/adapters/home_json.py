"""A home's model as JSON, in the words of `HomeModel`. What it leaves out is as in the course."""

from __future__ import annotations

from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.errors import InvalidInput
from voltbench.running.home.model import HomeModel


def parse(text: bytes | str) -> HomeModel:
    """The model a JSON text gives. Raises UnreadableJson (not JSON) or InvalidInput (naming the field)."""
    return model_of(json_text.parse(text))


def model_of(table: Any) -> HomeModel:
    """The model that a parsed JSON object gives. Raises InvalidInput that names the field."""
    if not isinstance(table, dict):
        raise InvalidInput("home", "is no JSON object", found=strict.shown(table), allowed="an object; {} is allowed")
    return strict.convert(table, HomeModel)


def text_of(model: HomeModel) -> str:
    """The JSON text of a model; parsed again it is the same model."""
    return msgspec.json.encode(model).decode()
