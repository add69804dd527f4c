"""A site whose stations are at the CSMS: the energy manager hears what they measure and sets what they may draw.

What it needs after a restart is in the records of the CSMS: the open transactions, what they were read to draw last,
and the limits that their stations have accepted, or were asked to and may have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import msgspec
from msgspec.structs import replace as replaced

from voltbench.adapters.ocpp_csms.csms import Csms, Guest
from voltbench.adapters.station_json import StationConfig, control_options, site_plan
from voltbench.energy.commit import Confirmation
from voltbench.errors import NotFound, VoltbenchError
from voltbench.ocpp.limit_terms import Terms
from voltbench.ocpp.v16.csms.records import Command as CommandKept
from voltbench.ocpp.v16.csms.records import KnownStation, MetersRead, Record, Transaction
from voltbench.ocpp.v16.csms_profiles import (
    LEVEL_KEY,
    UNIT_KEY,
    Held,
    failsafe_profile,
    held_by,
    power_profile,
    terms_told,
)
from voltbench.ocpp.v16.messages import ChargingProfile, MeterValues, SetChargingProfile
from voltbench.ocpp.wire_types import instant, read
from voltbench.quantities import MS_PER_DAY, MS_PER_SECOND, NOMINAL_VOLTAGE_V, Instant
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.look import connector_id
from voltbench.running.steering import Command, ReadMeter, SetFailsafe, Steering
from voltbench.running.views import SiteView

ANSWER_WITHIN_S = 30.0
LOOK_S = 1.0
"""How often is looked after limits that would end soon."""

FAR_OFF_S = 10.0
"""A station's clock that is so far off is worth a line in the log."""

KEYS = {"MeterValueSampleInterval": "10", "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import"}
"""What stations have to be set to, so that they tell often enough what they draw."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SteeredChoices:
    """A site to steer: what each EVSE may draw when nothing is heard, and for how long a limit holds."""

    config: StationConfig
    failsafe_w: float
    validity_s: float


class SteeredSite:
    """A site by its configuration, whose chargers are called as their stations are. Made by `open`, lives by `live`."""

    def __init__(self, csms: Csms, choices: SteeredChoices) -> None:
        options = replace(control_options(choices.config), confirmation=Confirmation.REPORTED)
        validity_ms = round(choices.validity_s * MS_PER_SECOND)
        plan = HostedPlan(site_plan(choices.config), options, validity_ms=validity_ms, failsafe_w=choices.failsafe_w)
        self._csms = csms
        self._now = csms.now
        self._site = HostedSite(plan, self._now())
        self._ratings = {place.station: place.station_model.max_power_w for place in plan.site.places}
        self._places = {id: [one for one in plan.site.places if one.station == id] for id in self._ratings}
        self._steering = Steering(self._site, {station: station for station in self._ratings})
        self._there: dict[str, Guest] = {}
        self._last_read: dict[str, int] = {}
        self._far_off = set[str]()
        self._is_stumbling = False
        self._tasks: set[asyncio.Task[object]] = set()

    @classmethod
    async def open(cls, csms: Csms, choices: SteeredChoices) -> SteeredSite:
        """A site that goes on with the transactions that are open, before any station may connect."""
        site = cls(csms, choices)
        for station in site._ratings:
            for transaction in await site._closed(station):
                await site._take_up(transaction)
                site._steering.closed(site._now(), station, str(transaction.id))
            for transaction in site._running(station):
                await site._take_up(transaction)
        return site

    async def _take_up(self, transaction: Transaction) -> None:
        """Count with what a transaction may still draw; where that is no more than its failsafe, there is no hurry."""
        station, evse, id = transaction.station_id, transaction.connector_id, str(transaction.id)
        limits = await self._limits(transaction)
        now = self._now()
        if max((limit.until for limit in limits), default=now) <= now:
            return
        held_w = max(*(limit.power_w for limit in limits), self._last_power_w(transaction))
        until = max(limit.until for limit in limits)
        try:
            self._steering.take_up(now, station, evse, id, self._ratings[station], held_w, until)
        except NotFound as error:
            _log.warning("the site cannot go on with transaction %s: %s", id, error)

    async def _limits(self, transaction: Transaction) -> list[Held]:
        """The limit that a station has accepted last for a transaction, and those it may have accepted since."""
        now = self._now()
        since = now - MS_PER_DAY
        told: list[tuple[ChargingProfile, Instant]] = []
        for installed in self._csms.central.dossier(transaction.station_id).profiles.values():
            profile = read(ChargingProfile, installed.profile.encode())
            at = installed.installed_at
            if installed.cleared_at is None and held_by(profile, str(transaction.id), at) is not None:
                told, since = [(profile, at)], max(since, at)
        for command in await self._csms.store.in_doubt(transaction.station_id, "SetChargingProfile", since):
            profile = read(SetChargingProfile, command.payload.encode()).cs_charging_profiles
            told.append((profile, command.asked_at))
        # What was told in our future was told before the wall's clock was set back and we began anew.
        found = (held_by(profile, str(transaction.id), min(at, now)) for profile, at in told)
        return [limit for limit in found if limit is not None]

    def _last_power_w(self, transaction: Transaction) -> float:
        """What a transaction was read to draw last."""
        last = self._csms.central.dossier(transaction.station_id).latest.get(transaction.connector_id)
        if last is None or last.transaction_id != transaction.id:
            return 0.0
        return max((power_w for power_w, _ in powers_w(read(MeterValues, last.payload.encode()))), default=0.0)

    def _running(self, station: str) -> list[Transaction]:
        """The last open transaction at each EVSE: one before it can only be stale."""
        if self._csms.central.known(station) is None:
            return []
        found = {one.connector_id: one for one in self._csms.central.transactions.open_of(station)}
        return list(found.values())

    async def _closed(self, station: str) -> list[Transaction]:
        """Transactions that an operator has closed, though their station may hold a limit of theirs still."""
        known, transactions = self._csms.central.known(station), self._csms.central.transactions
        if known is None:
            return []
        limited = {one.transaction_id for one in known.profiles.values()}
        for command in await self._csms.store.in_doubt(station, "SetChargingProfile", self._now() - MS_PER_DAY):
            profile = read(SetChargingProfile, command.payload.encode()).cs_charging_profiles
            limited.add(profile.transaction_id if isinstance(profile.transaction_id, int) else None)
        found = [transactions.get(id) for id in limited if id is not None]
        return [one for one in found if one is not None and one.closed_by == "operator"]

    def status(self) -> SiteView:
        """The site as it is now."""
        view = self._site.status(self._now())
        chargers = (replaced(one, clock_off_s=self._steering.clock_off_s(one.id)) for one in view.chargers)
        return replaced(view, chargers=tuple(chargers))

    async def live(self) -> None:
        """Steer until cancelled."""
        unwatch = self._csms.watch(self._hear)
        try:
            while True:
                self._renew()
                await asyncio.sleep(LOOK_S)
        finally:
            unwatch()
            for task in self._tasks:
                task.cancel()

    def _renew(self) -> None:
        """Look after limits that would end soon. Where that fails, stations fall back until it is done once more."""
        try:
            self._site.advance(self._now())
            self._steering.renew(self._now())
            self._send()
        except Exception:  # the outermost edge: one fault must not end all steering
            if not self._is_stumbling:
                _log.exception("the site cannot be steered now, and is looked after again every %g s", LOOK_S)
            self._is_stumbling = True
        else:
            self._is_stumbling = False

    # --- what stations tell -----------------------------------------------------------------------------------------

    def _hear(self, record: Record) -> None:
        try:
            self._look(record.id if isinstance(record, KnownStation) else getattr(record, "station_id", ""))
            match record:
                case Transaction():
                    self._transaction(record)
                case MetersRead():
                    self._measured(record)
        except Exception:  # the CSMS lets others hear, and must not be harmed by them
            _log.exception("the site cannot go by %r", record)
        self._send()

    def _look(self, station: str) -> None:
        """See whether a station of the site has come or gone; who is back says something, sooner or later."""
        known = self._csms.central.known(station) if station in self._ratings else None
        if known is None:
            return
        visit = self._csms.guest(station) if known.station.registration == "Accepted" else None
        if visit is self._there.get(station):
            return
        if self._there.pop(station, None) is not None:
            self._steering.left(station)
        if visit is None:
            return
        self._there[station] = visit
        self._spawn(self._meet(station, visit))
        for key, setting in KEYS.items():
            self._spawn(self._set(station, key, setting))

    async def _meet(self, station: str, visit: Guest) -> None:
        """Hear which limits a station takes, before it is told any."""
        await self._ask(station, "GetConfiguration", {"key": [UNIT_KEY, LEVEL_KEY]})
        if self._there.get(station) is not visit:
            return
        self._steering.arrived(self._now(), station)
        for transaction in self._running(station):
            self._hear(transaction)
        self._send()

    def _transaction(self, transaction: Transaction) -> None:
        station, id = transaction.station_id, str(transaction.id)
        if station not in self._ratings:
            return
        if transaction.closed_by is None:
            self._steering.started(self._now(), station, transaction.connector_id, id, self._ratings[station])
            return
        if transaction.closed_by == "operator":
            self._steering.closed(self._now(), station, id)
            return
        meter_stop_wh = transaction.meter_stop_wh
        energy_wh = None if meter_stop_wh is None else max(0.0, float(meter_stop_wh - transaction.meter_start_wh))
        self._steering.ended(self._now(), station, id, energy_wh)

    def _measured(self, told: MetersRead) -> None:
        """A reading that is told once more says nothing new."""
        if told.station_id not in self._ratings or told.transaction_id is None:
            return
        if told.id <= self._last_read.get(told.station_id, 0):
            return
        self._last_read[told.station_id] = told.id
        for power_w, read_at in powers_w(read(MeterValues, told.payload.encode())):
            self._steering.measured(
                self._now(), told.station_id, told.connector_id, str(told.transaction_id), power_w, read_at
            )
        self._look_at_clock(told.station_id)

    def _look_at_clock(self, station: str) -> None:
        """Say once that a clock is far off, and once that it is right again."""
        off_s = self._steering.clock_off_s(station)
        is_far_off = abs(off_s) >= FAR_OFF_S
        if is_far_off == (station in self._far_off):
            return
        self._far_off ^= {station}
        way = "ahead of" if off_s > 0.0 else "behind"
        if is_far_off:
            _log.warning("%s: its clock is %.0f s %s ours, which is allowed for", station, abs(off_s), way)
        else:
            _log.warning("%s: its clock is right", station)

    # --- what they are told -----------------------------------------------------------------------------------------

    def _send(self) -> None:
        for command in self._steering.commands():
            self._spawn(self._carry_out(command))

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, command: Command) -> None:
        if isinstance(command, ReadMeter):
            payload: dict[str, Any] = {"requestedMessage": "MeterValues", "connectorId": command.evse}
            await self._ask(command.station, "TriggerMessage", payload)
            return
        if isinstance(command, SetFailsafe):
            profile = failsafe_profile(command, self._terms(command.station))
        else:
            limit = self._steering.by_its_clock(command)
            profile = power_profile(limit, self._terms(command.station, command.evse))
        over = await self._ask(command.station, "SetChargingProfile", msgspec.to_builtins(profile))
        refused_before = self._steering.refuses(command.station)
        self._steering.answered(self._now(), command, _verdict(over))
        if self._steering.refuses(command.station) != refused_before:
            self._warn(command.station, over)
        self._send()

    def _terms(self, station: str, evse: int | None = None) -> Terms:
        """How a station takes limits at an EVSE, or at all of them: in A as the one that gives most for each."""
        told = self._csms.central.dossier(station)
        unit, level = told.setting(UNIT_KEY), told.setting(LEVEL_KEY)
        places = self._places[station]
        models = [one.connector_model for one in places if evse is None or connector_id(one) == str(evse)]
        supplies = [(NOMINAL_VOLTAGE_V, 3) if model.is_dc else (model.voltage_v, model.phases) for model in models]
        voltage_v, phases = max(supplies, key=lambda supply: supply[0] * supply[1])
        return terms_told(unit.setting if unit else None, level.setting if level else None, voltage_v, phases)

    def _warn(self, station: str, over: CommandKept | None) -> None:
        if self._steering.refuses(station):
            words = (over.answer or over.refusal) if over is not None else "no answer"
            _log.warning("%s refuses limits, and counts with its rating until it takes them: %s", station, words)
        else:
            _log.warning("%s takes limits", station)

    async def _set(self, station: str, key: str, setting: str) -> None:
        over = await self._ask(station, "ChangeConfiguration", {"key": key, "value": setting})
        if _verdict(over) is False:
            _log.warning("%s does not let %s be %s: %s", station, key, setting, over and (over.answer or over.refusal))

    async def _ask(self, station: str, action: str, payload: Any) -> CommandKept | None:
        """What became of what a station was asked; None where that is not known."""
        try:
            asked = await self._csms.command(station, action, payload)
            return await self._csms.outcome(asked.id, ANSWER_WITHIN_S)
        except VoltbenchError as error:
            _log.info("%s: %s: %s", station, action, error)
            return None


def _verdict(over: CommandKept | None) -> bool | None:
    """Whether a station has accepted what it was asked; None where it has not answered."""
    if over is None or over.state not in ("answered", "refused"):
        return None
    return over.answer is not None and msgspec.json.decode(over.answer).get("status") == "Accepted"


def powers_w(values: MeterValues) -> list[tuple[float, Instant]]:
    """What a message says of the power that is drawn, with when it was measured; phases are added up.

    What is signed, or no number, says nothing.
    """
    found = []
    for value in values.meter_value:
        told = [s for s in value.sampled_value if s.measurand == "Power.Active.Import" and _is_number(s.value)]
        whole = [s for s in told if not s.phase]
        used = whole[:1] or told
        if used:
            power_w = sum(float(s.value) * (1_000.0 if s.unit == "kW" else 1.0) for s in used)
            found.append((power_w, instant(value.timestamp)))
    return found


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
