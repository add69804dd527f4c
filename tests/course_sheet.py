"""A server written from the course's behaviour sheet with nothing of ours inside, and with all that it does wrong.

    python tests/course_sheet.py SECONDS_PER_HOUR

The standard library only: threads, a ticking loop, `text/html` for JSON, errors with status 200, HTML with status 500.
`POST /trouble` breaks its next answers as somebody else's server may break: `{"answers": N, "kind": "500"}`, or "html",
"error", "hang up". `GET /books` says what was charged; it is never in trouble.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICES = [
    85.28, 70.86, 68.01, 67.95, 68.01, 85.04, 87.86, 100.26, 118.45, 116.61, 105.93, 91.95,
    90.51, 90.34, 90.8, 88.85, 90.39, 99.03, 87.11, 82.9, 80.45, 76.48, 32.0, 34.29,
]  # fmt: skip
LOADS = [
    0.88, 0.77, 2.2, 1.98, 2.75, 3.85, 4.51, 3.74, 3.85, 4.4, 4.73, 6.16,
    4.62, 3.74, 3.52, 3.63, 5.83, 11.0, 8.91, 6.05, 4.29, 2.64, 1.87, 0.99,
]  # fmt: skip
CAPACITY, PORTION = 46.3, 1.85


class Home:
    """What the server's loop changes, without any lock, as there."""

    def __init__(self) -> None:
        self.cost_ore = 0.0
        self.portions = 0
        self.highest_kw = 0.0
        self.trouble: list[str] = []
        self.reset()

    def reset(self) -> None:
        self.hour = self.minute = 0
        self.load, self.energy, self.percent = LOADS[0], 9.26, 20.0
        self.charging = False

    def live(self, seconds_per_hour: float) -> None:
        due = time.monotonic()
        while True:
            for quarter in range(4):
                self.minute = quarter * 15
                if self.charging and self.percent < 110:
                    self.energy = round(self.energy + PORTION, 2)
                    self.load = round(self.load + PORTION, 2)
                    self.percent = round(self.energy / CAPACITY * 100, 2)
                    self.cost_ore += PORTION * PRICES[self.hour]
                    self.portions += 1
                    self.highest_kw = max(self.highest_kw, LOADS[self.hour] + 7.4)
                due += seconds_per_hour / 4
                time.sleep(max(0.0, due - time.monotonic()))
            self.hour = (self.hour + 1) % 24
            self.load = LOADS[self.hour]


HOME = Home()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = "/" + self.path.lstrip("/")
        if HOME.trouble and path != "/books":
            self.stumble(HOME.trouble.pop(0))
        elif path == "/info":
            clock = {"sim_time_hour": HOME.hour, "sim_time_min": HOME.minute, "base_current_load": HOME.load}
            state = {"battery_capacity_kWh": HOME.energy, "ev_battery_charge_start_stopp": HOME.charging}
            self.say(clock | state)
        elif path in ("/baseload", "/priceperhour"):
            self.say(LOADS if path == "/baseload" else PRICES)
        elif path == "/charge":
            self.say(20 if HOME.percent == 20.0 else HOME.percent, kind="application/json")
        elif path == "/books":
            books = {"cost_ore": HOME.cost_ore, "portions": HOME.portions, "highest_kw": HOME.highest_kw}
            self.say(books | {"charging": HOME.charging})
        else:
            self.say("not found", 404)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = "/" + self.path.lstrip("/")
        if path == "/trouble":
            told = json.loads(content)
            HOME.trouble = [told["kind"]] * told["answers"]
            self.say("ok")
        elif HOME.trouble:
            self.stumble(HOME.trouble.pop(0))
        elif self.headers.get("content-type") != "application/json":
            self.say({"error": "415 Unsupported Media Type: ..."})
        else:
            self.obey(path, json.loads(content))

    def obey(self, path: str, told: Any) -> None:
        if path == "/charge" and told.get("charging") in ("on", "off"):
            HOME.charging = told["charging"] == "on"
            self.say({"charging": told["charging"]})
        elif path == "/discharge" and told.get("discharging") == "on":
            HOME.reset()
            self.say({"discharging": "on"})
        else:
            self.send("<!doctype html><title>500 Internal Server Error</title>", 500, "text/html")

    def stumble(self, kind: str) -> None:
        if kind == "hang up":
            self.close_connection = True
        elif kind == "error":
            self.say({"error": "400 Bad Request: The browser (or proxy) sent a request ..."})
        else:
            self.send("<!doctype html><title>Oops</title>", 500 if kind == "500" else 200, "text/html")

    def say(self, told: Any, status: int = 200, kind: str = "text/html; charset=utf-8") -> None:
        self.send(json.dumps(told), status, kind)

    def send(self, text: str, status: int, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=HOME.live, args=[float(sys.argv[1])], daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
