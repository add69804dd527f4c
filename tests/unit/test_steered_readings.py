"""What the steered site takes from meter values, whatever a station calls a reading."""

from __future__ import annotations

import pytest

from voltbench.apps.steered_site import powers_w
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.wire_types import instant

AT = "2026-03-02T00:00:00Z"


def told(*samples: m.SampledValue) -> list[float]:
    values = m.MeterValues(connector_id=1, meter_value=(m.MeterValue(timestamp=AT, sampled_value=samples),))
    found = powers_w(values)
    assert all(at == instant(AT) for _, at in found)
    return [power_w for power_w, _ in found]


def watts(value: str, unit: m.UnitOfMeasure = "W", phase: m.Phase | None = None) -> m.SampledValue:
    if phase is None:
        return m.SampledValue(value=value, measurand="Power.Active.Import", unit=unit)
    return m.SampledValue(value=value, measurand="Power.Active.Import", unit=unit, phase=phase)


@pytest.mark.parametrize(
    ("samples", "powers"),
    [
        ([watts("11040.0")], [11_040.0]),
        ([watts("11.04", "kW")], [11_040.0]),
        ([watts("3680", phase=phase) for phase in ("L1", "L2", "L3")], [11_040.0]),
        ([watts("11040"), *(watts("3680", phase=phase) for phase in ("L1", "L2", "L3"))], [11_040.0]),
        ([watts("OCMF|{}")], []),
        ([watts("NaN")], []),
        ([m.SampledValue(value="5")], []),
    ],
)
def test_powers_are_found_in_what_is_told(samples, powers):
    assert told(*samples) == pytest.approx(powers)
