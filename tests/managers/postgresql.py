"""A real PostgreSQL on loopback, for the time of a test: a cluster in a temporary directory, never the system's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from tests.managers.openbao import free_port

BINARIES: Final = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/usr/bin"))
USER: Final = "postgres"
PASSWORD: Final = "the-administrators"


class PostgreSQL:
    """A cluster whose administrator is `postgres`; it runs as the user of that name where the test is root."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kamal-postgresql-"))
        self.port = free_port()
        self._as_user = {"user": USER, "group": USER} if os.geteuid() == 0 else {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._as_user:
            shutil.chown(self._folder, USER, USER)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            *(BINARIES / "initdb", "--pgdata", self._folder / "data", "--username", USER, "--auth", "scram-sha-256"),
            *("--pwfile", password, "--no-sync", "--no-locale", "--encoding", "UTF8"),
        )
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self._folder}
        options |= {"fsync": "off", "shared_buffers": "16MB"}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    BINARIES / "postgres",
                    "-D",
                    self._folder / "data",
                    *(f"--{key}={value}" for key, value in options.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                **self._as_user,  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # which ends connections too
            self._process.wait(30)
        shutil.rmtree(self._folder)

    def query(self, statement: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """One statement over TCP, with a password. Raises `CalledProcessError`."""
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": password}
        target = ["--host", "127.0.0.1", "--port", str(self.port), "--username", user, "--dbname", "postgres"]
        done = subprocess.run(
            [BINARIES / "psql", *target, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def _answers(self) -> bool:
        try:
            return self.query("select 1") == "1"
        except subprocess.CalledProcessError:
            return False

    def _run(self, *words: str | Path) -> None:
        subprocess.run(words, check=True, capture_output=True, cwd="/", **self._as_user)  # type: ignore[call-overload]
