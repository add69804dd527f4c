"""A RabbitMQ of our own, out of Debian's package, on a port of its own of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import HeldPort
from tests.waiting import eventually

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not what is in /usr/sbin: that becomes another user, who may not write where tests do."""

START_S = 180.0
"""A broker that starts takes 4 s on a quiet machine, and half a minute beside the other tests on a slow one."""

_MISSING = "there is no RabbitMQ on this machine (Debian: apt-get install --no-install-recommends rabbitmq-server)"


class RabbitMQ:
    """A broker in processes of its own: what it keeps stays when they are ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held = [HeldPort() for _ in range(3)]
        self._port, distribution, self._epmd_port = [held.number for held in self._held]
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_NODENAME": f"voltbench-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        epmd = shutil.which("epmd") or "epmd"
        self._begin(epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1")
        eventually(lambda: self._answers(self._epmd_port), START_S)
        self._begin(str(SERVER))
        eventually(lambda: self._answers(self._port), START_S)

    def stop(self) -> None:
        """End it as a power cut would."""
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def close(self) -> None:
        """Stop it, for good."""
        self.stop()
        for held in self._held:
            held.close()

    def _begin(self, *command: str) -> None:
        with (self._directory / "said").open("ab") as said:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=self._environment,
                    cwd=self._directory,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            )

    def _answers(self, port: int) -> bool | None:
        assert self._processes[-1].poll() is None, (self._directory / "said").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return None
        return True


@contextmanager
def a_rabbitmq() -> Iterator[RabbitMQ]:
    """A running RabbitMQ, gone afterwards. Where there is none, a skip; in CI a failure, which nobody overlooks."""
    if not SERVER.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(_MISSING)
    directory = Path(tempfile.mkdtemp(prefix="voltbench-rabbit-"))
    broker = RabbitMQ(directory)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()
        shutil.rmtree(directory)
