"""The proxy under test: a server process with a home of its own, and the clients that drive it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conformance.raw_http import Connection, Headers, Response
from tests.conformance.scripted_target import Target

SOURCES = Path(__file__).parents[2] / "src"
COMMAND = shlex.split(os.environ.get("PROXY_UNDER_TEST", "")) or [sys.executable, "-m", "pykamal.proxy"]
IS_OURS = os.environ.get("PROXY_UNDER_TEST_KIND", "reference" if "PROXY_UNDER_TEST" in os.environ else "ours") == "ours"
"""True where tests expect the deviations of spec/proxy.md 24.2."""
START_LIMIT_S = 20.0

_CACHES = shutil.ignore_patterns("__pycache__")
_handed_out: set[int] = set()


class Proxy:
    """Started by `start`; `restart` keeps ports, home and state."""

    def __init__(self) -> None:
        self.command = COMMAND
        self.prefix: list[str] = []  # what the server alone is started through
        self.sources = SOURCES
        self.home = Path(tempfile.mkdtemp(prefix="kp-"))
        self.temporary = self.home / "tmp"
        self.temporary.mkdir()
        for directory in (self.home, self.temporary):
            directory.chmod(0o777)  # the proxy under test may run as another user
        self.http_port, self.https_port, self.metrics_port = free_ports(3)
        self.socket = self.home / "s"
        self.log_path = self.home / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.home), "TMPDIR": str(self.temporary), "KAMAL_PROXY_SOCKET": str(self.socket)}
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.sources), **own}

    @property
    def state_path(self) -> Path:
        return self.home / ".config/kamal-proxy/kamal-proxy.state"

    def start(self, *flags: str, environment: dict[str, str] | None = None) -> Proxy:
        """Returns once clients are answered."""
        ports = ["--http-port", str(self.http_port), "--https-port", str(self.https_port)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *self.command, "run", *ports, *flags],
                env=self.environment | (environment or {}),
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, START_LIMIT_S)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_path.read_text()
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signals the server and returns its exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def plant(self, module: str, text: str, replacement: str = "") -> None:
        """Has the server run a copy of the sources in which this is replaced, to show that a test sees a hole."""
        if self.sources == SOURCES:
            self.sources = self.home / "src"
            shutil.copytree(SOURCES / "pykamal/proxy", self.sources / "pykamal/proxy", ignore=_CACHES)
            shutil.copy(SOURCES / "pykamal/__init__.py", self.sources / "pykamal")
        file = self.sources / "pykamal/proxy" / module
        assert text in file.read_text()
        file.write_text(file.read_text().replace(text, replacement))

    def restart(self, *flags: str) -> Proxy:
        self.stop()
        return self.start(*flags)

    def dispose(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one client to its end, whatever that is."""
        command = [*self.command, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts one client and leaves it running."""
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def succeed(self, *arguments: str) -> str:
        """Runs one client that must exit 0 and, but for `list`, must print nothing."""
        done = self.call(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert arguments[0] in ("list", "ls") or not done.stdout
        return done.stdout

    def refuse(self, *arguments: str) -> str:
        """Runs one client that must exit 1 with one line on stderr; returns what follows `Error: `."""
        done = self.call(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.startswith("Error: ")
        return done.stderr.splitlines()[0].removeprefix("Error: ")

    def deploy(self, service: str, target: Target, *flags: str) -> None:
        self.succeed("deploy", service, "--target", target.address, *flags)

    def listing(self) -> list[list[str]]:
        """The rows of `list` without the titles and without colours."""
        lines = self.succeed("list").splitlines()[1:]
        return [re.sub(r"\x1b\[[0-9;]*m", "", line).split() for line in lines]

    def remove_everything(self) -> None:
        for row in self.listing():
            self.succeed("remove", row[0])

    def connect(self, **options: Any) -> Connection:
        """A plain connection, or one over TLS when `server_name` is given."""
        port = self.https_port if "server_name" in options else self.http_port
        return Connection(port, **options)

    def ask(
        self,
        path: str = "/echo",
        *,
        method: str = "GET",
        host: str | None = "example.com",
        headers: Headers | None = None,
        body: bytes | None = None,
        server_name: str | None = None,
        source: str = "127.0.0.1",
    ) -> Response:
        """One request on a connection of its own."""
        options = {} if server_name is None else {"server_name": server_name}
        with self.connect(source=source, **options) as connection:
            return connection.ask(method, path, host=host, headers=headers, body=body)

    def descriptors(self) -> int:
        """Count the files and sockets that nginx's workers have open."""
        workers = child_processes(find_child(self, "nginx: master"))
        return sum(len(list(Path(f"/proc/{worker}/fd").iterdir())) for worker in workers)

    def worker_ticks(self) -> int:
        """The processor time that nginx's workers have used, in clock ticks."""
        workers = child_processes(find_child(self, "nginx: master"))
        fields = (Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split() for worker in workers)
        return sum(int(each[11]) + int(each[12]) for each in fields)

    def log_lines(self, message: str) -> list[dict[str, Any]]:
        """The JSON log records with this `msg`; not a line that is being written."""
        lines = self.log_path.read_text().rpartition("\n")[0].splitlines()
        records = (json.loads(line) for line in lines if line[:1] == "{")
        return [record for record in records if record.get("msg") == message]

    def access_log(self, path: str) -> list[dict[str, Any]]:
        """Waits for, and returns, the access log records of one path."""
        wait_until(lambda: any(record["path"] == path for record in self.log_lines("Request")), 5)
        time.sleep(0.25)
        return [record for record in self.log_lines("Request") if record["path"] == path]


def wait_until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Fails when the condition stays false for so long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


def child_processes(parent: int) -> dict[int, str]:
    """Process id and command line; not those that end meanwhile."""
    found = {}
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
    return found


def is_running(process: int) -> bool:
    """Neither gone nor a zombie that waits for its parent."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter when it ends between opening and reading
        return False


def find_child(proxy: Proxy, words: str) -> int:
    assert proxy.process
    (found,) = (pid for pid, arguments in child_processes(proxy.process.pid).items() if words in arguments)
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, or was given before, from below the range that the kernel hands out by itself."""
    found: list[int] = []
    while len(found) < count:
        candidate = 10000 + int.from_bytes(os.urandom(2)) % 20000
        with socket.socket() as probe:
            if candidate not in _handed_out and probe.connect_ex(("127.0.0.1", candidate)) != 0:
                found.append(candidate)
                _handed_out.add(candidate)
    return found
