"""The figures made of a record."""

from __future__ import annotations

import msgspec
import numpy as np

from voltbench.battery.record import Figures, Floats, Record
from voltbench.quantities import SECONDS_PER_HOUR

__all__ = ["Difference", "Figures", "difference", "differences_mv", "figures"]


def figures(record: Record) -> Figures:
    """What a record comes to: by its rows, or by all that were solved, where it keeps fewer and knows it."""
    return _of_rows(record) if record.figures is None else record.figures


def _of_rows(record: Record) -> Figures:
    time_s, current_a, voltage_v = (record.columns[name] for name in ("time_s", "current_a", "voltage_v"))
    in_ah, out_ah = _in_and_out(time_s, current_a)
    in_wh, out_wh = _in_and_out(time_s, current_a * voltage_v)
    flowed_ah = in_ah + out_ah
    degrees, soc = record.columns.get("temperature_degc"), record.columns.get("soc")
    return Figures(
        reason=record.ending.reason,
        lasted_s=float(time_s[-1] - time_s[0]),
        charged_ah=in_ah,
        discharged_ah=out_ah,
        charged_wh=in_wh,
        discharged_wh=out_wh,
        first_voltage_v=float(voltage_v[0]),
        last_voltage_v=float(voltage_v[-1]),
        least_voltage_v=float(voltage_v.min()),
        most_voltage_v=float(voltage_v.max()),
        mean_voltage_v=(in_wh + out_wh) / flowed_ah if flowed_ah else float(voltage_v.mean()),
        most_power_w=float(np.abs(current_a * voltage_v).max()),
        least_degc=None if degrees is None else float(degrees.min()),
        most_degc=None if degrees is None else float(degrees.max()),
        last_soc=None if soc is None else float(soc[-1]),
    )


def _in_and_out(time_s: Floats, rate: Floats) -> tuple[float, float]:
    """What flowed in and out, per hour of the rate: straight lines between rows, cut where they cross nothing."""
    before, after, lasts = rate[:-1], rate[1:], np.diff(time_s)
    whole = (before + after) / 2.0 * lasts
    crosses = before * after < 0.0
    share = np.divide(before, before - after, out=np.ones_like(before), where=crosses)
    first = np.where(crosses, before / 2.0 * share * lasts, whole)
    second = np.where(crosses, after / 2.0 * (1.0 - share) * lasts, 0.0)
    parts = np.concatenate((first, second)) / SECONDS_PER_HOUR
    return float(parts[parts > 0.0].sum()), float(-parts[parts < 0.0].sum())


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How far the voltage of one record is from another's while both last, in mV; the worst with its sign, and when."""

    rms_mv: float
    most_mv: float
    most_at_s: float
    compared_s: float


def difference(record: Record, other: Record) -> Difference:
    """How far a record is from another one."""
    time_s, off_mv = differences_mv(record, other)
    worst, span_s = int(np.abs(off_mv).argmax()), float(time_s[-1] - time_s[0])
    mean_square = float(np.trapezoid(off_mv**2, time_s)) / span_s if span_s else float(off_mv[0] ** 2)
    return Difference(
        rms_mv=mean_square**0.5, most_mv=float(off_mv[worst]), most_at_s=float(time_s[worst]), compared_s=span_s
    )


def differences_mv(record: Record, other: Record) -> tuple[Floats, Floats]:
    """At every time of either, while both last: a record's voltage less another's."""
    ours, theirs = record.columns, other.columns
    both = np.union1d(ours["time_s"], theirs["time_s"])
    time_s = both[both <= min(ours["time_s"][-1], theirs["time_s"][-1])]
    voltages = (np.interp(time_s, one["time_s"], one["voltage_v"]) for one in (ours, theirs))
    return time_s, (next(voltages) - next(voltages)) * 1e3
