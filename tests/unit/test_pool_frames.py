"""What a pool and its workers say to each other."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.adapters.pool.frames import DONE, TASK, Frame, FrameReader, Garbled, frame_parts


@given(
    st.lists(st.tuples(st.sampled_from([TASK, DONE]), st.binary() | st.just(bytes(70_000))), max_size=6),
    st.lists(st.sampled_from([1, 16, 17, 18, 1_000])),
)
def test_frames_are_the_same_however_they_are_cut(said, cuts):
    stream = b"".join(bytes(part) for n, (kind, payload) in enumerate(said) for part in frame_parts(kind, n, payload))
    reader, heard = FrameReader(), []
    cut = cycle([*cuts, 50_000])
    while stream:
        room = reader.room()
        taken = min(len(room), len(stream), next(cut))
        room[:taken] = stream[:taken]
        stream = stream[taken:]
        heard += reader.received(taken)
    assert heard == [Frame(kind, n, bytearray(payload)) for n, (kind, payload) in enumerate(said)]


def test_bytes_that_are_no_frame_are_refused():
    reader = FrameReader()
    reader.room()[:20] = b"\xff" * 20
    with pytest.raises(Garbled):
        reader.received(20)
