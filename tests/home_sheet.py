"""The server of the course's sheet, whose clock waits for its client: on a busy machine the day goes as on any other.

    python -m tests.home_sheet SECONDS_PER_HOUR [stands]

Once somebody has looked, no quarter hour ends before it was looked at early and in its middle, and before what is to be
said then had time to come. A clock that `stands` does not go before a `POST /go`.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import ThreadingHTTPServer

from tests import course_sheet

LOOKS, MANY_LOOKS = 2, 4
"""In a quarter hour: who knows when it ends looks twice; who has yet to learn it, more often and without a pause."""

NAP_S, NAPS = 0.002, 40
"""After the second look: from the middle on there are as many anyway. Where the machine is busy, each takes longer."""

PATIENCE_S = 10.0
"""Who has not looked for so long is gone."""


class WaitingClock:
    """What the server takes for the module `time`."""

    def __init__(self, seconds_per_hour: float, stands: bool) -> None:
        self.goes = threading.Event()
        if not stands:
            self.goes.set()
        self._stood_s = 0.0
        self._looks = self._naps = 0
        self._looked_s: float | None = None

    def monotonic(self) -> float:
        """The seconds that were not spent on waiting for others."""
        return time.monotonic() - self._stood_s

    def sleep(self, duration_s: float) -> None:
        """Until the quarter hour is over, and whoever looks at it is done."""
        end_s = time.monotonic() + duration_s
        while (left_s := end_s - time.monotonic()) > 0.0:
            self._nap(min(NAP_S, left_s))
        over_s = time.monotonic()
        self.goes.wait()
        while self._is_waited_for():
            self._nap(NAP_S)
        self._looks = 0
        self._stood_s += time.monotonic() - over_s

    def looked(self) -> None:
        """Somebody has looked."""
        self._looks += 1
        self._naps = 0
        self._looked_s = time.monotonic()

    def _nap(self, duration_s: float) -> None:
        time.sleep(duration_s)
        self._naps += 1

    def _is_waited_for(self) -> bool:
        if self._looked_s is None or self._looks >= MANY_LOOKS:
            return False
        if self._looks >= LOOKS:
            return self._naps < NAPS
        return time.monotonic() - self._looked_s < PATIENCE_S


class Handler(course_sheet.Handler):
    clock: WaitingClock

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        super().do_GET()
        if self.path.endswith("/info"):
            self.clock.looked()

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        if self.path == "/go":
            self.clock.goes.set()
            self.say("ok")
        else:
            super().do_POST()


def main(seconds_per_hour: float, stands: bool) -> None:
    Handler.clock = clock = WaitingClock(seconds_per_hour, stands)
    course_sheet.time = clock  # type: ignore[assignment, attr-defined]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=course_sheet.HOME.live, args=[seconds_per_hour], daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main(float(sys.argv[1]), "stands" in sys.argv)
