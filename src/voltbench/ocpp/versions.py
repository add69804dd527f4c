"""The versions of OCPP that we speak, by the name of their WebSocket sub-protocol."""

from __future__ import annotations

from voltbench.ocpp.dialect import CODES_2, CODES_16, Dialect
from voltbench.ocpp.v16 import messages as v16
from voltbench.ocpp.v201 import messages as v201

OCPP_16 = Dialect("ocpp1.6", v16.REQUESTS, v16.RESPONSES, v16.FROM_STATION, v16.FROM_CSMS, CODES_16, False)
OCPP_201 = Dialect("ocpp2.0.1", v201.REQUESTS, v201.RESPONSES, v201.FROM_STATION, v201.FROM_CSMS, CODES_2, True)

DIALECTS = {dialect.subprotocol: dialect for dialect in (OCPP_16, OCPP_201)}
