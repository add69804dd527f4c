"""Whatever is sent, the CSMS's API answers as its own description says, and never with a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.csms_live import a_csms_process
from tests.waiting import DEADLINE_S
from voltbench.apps.api.csms.app import make_csms_app
from voltbench.apps.api.trust import Trust

EXAMPLES = settings().max_examples // 25
FUZZ = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

PAYLOADS = ("/csms/stations/{station_id}/commands/{action}", "/csms/profiles/{name}")

schema = schemathesis.openapi.from_dict(make_csms_app(cast(Any, None), Trust()).openapi())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a CSMS listens."""
    with a_csms_process(tmp_path_factory.mktemp("csms")) as running:
        yield running.api


@schema.parametrize()
@FUZZ
def test_every_route_keeps_its_word(case: Any, address: str) -> None:
    """A payload is described in OCPP's own schemas, of which the description says only that it is an object."""
    excluded = [positive_data_acceptance] if case.path in PAYLOADS else []
    case.call_and_validate(base_url=address, excluded_checks=excluded, timeout=DEADLINE_S)
