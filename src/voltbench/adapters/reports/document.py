"""Summaries as JSON: their fields as they are named, instants as RFC 3339 text in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from voltbench.quantities import rfc3339
from voltbench.running.summary import Summary


def summary_document(summary: Summary) -> dict[str, Any]:
    """One summary as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(summary)
    return plain | {"starts_at": rfc3339(summary.starts_at), "ends_at": rfc3339(summary.ends_at)}


def summary_json(summaries: Sequence[Summary]) -> str:
    """One summary as an object, several as an array of them."""
    documents = [summary_document(summary) for summary in summaries]
    text = msgspec.json.encode(documents[0] if len(documents) == 1 else documents)
    return msgspec.json.format(text, indent=2).decode()
