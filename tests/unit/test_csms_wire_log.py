"""What is remembered of the wire: so many frames of a station, and so many bytes of all of them together."""

from __future__ import annotations

from voltbench.adapters.ocpp_csms.wire_log import LONGEST_FRAME, MOST_FRAMES, OVERHEAD, WireLog


def numbers(log: WireLog, station: str) -> list[int]:
    return [frame.number for frame in log.last(station)]


def test_a_stations_last_frames_are_remembered():
    log = WireLog()
    for at in range(MOST_FRAMES + 2):
        log.note("CP1", at, "in", b"[]")
    assert numbers(log, "CP1") == list(range(3, MOST_FRAMES + 3))


def test_all_stations_share_so_many_bytes_and_the_oldest_frame_of_all_goes_first():
    log = WireLog(4 * (100 + OVERHEAD))
    for at, station in enumerate(["CP1", "CP2", "CP1", "CP3", "CP2", "CP2"]):
        log.note(station, at, "in", b"x" * 100)
    assert [numbers(log, station) for station in ("CP1", "CP2", "CP3")] == [[2], [2, 3], [1]]
    log.note("CP3", 9, "in", b"x" * (3 * (100 + OVERHEAD) - OVERHEAD))
    assert [numbers(log, station) for station in ("CP1", "CP2", "CP3")] == [[], [3], [2]]
    log.note("CP1", 10, "out", b"x")
    assert numbers(log, "CP1") == [3]


def test_what_is_forgotten_makes_room():
    log = WireLog(2 * (100 + OVERHEAD))
    for at, station in enumerate(["CP1", "CP2"]):
        log.note(station, at, "in", b"x" * 100)
    log.forget("CP1")
    log.note("CP3", 3, "in", b"x" * 100)
    assert [numbers(log, station) for station in ("CP1", "CP2", "CP3")] == [[], [1], [1]]


def test_a_long_frame_is_not_remembered_at_length():
    log = WireLog()
    log.note("CP1", 0, "in", b"x" * (LONGEST_FRAME + 1))
    assert len(log.last("CP1")[0].frame) == LONGEST_FRAME
