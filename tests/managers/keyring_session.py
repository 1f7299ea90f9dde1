"""A desktop session, as far as a keyring needs one: a bus and an unlocked GNOME Keyring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.managers.file_tools import run

KAMAL = Path(sys.executable).with_name("kamal")
SET = """\
import json, sys, keyring
for name, value in json.load(sys.stdin).items():
    keyring.set_password("shop", name, value)
"""
LOCK = """\
import secretstorage
secretstorage.get_default_collection(secretstorage.dbus_init()).lock()
"""


@dataclass(frozen=True)
class Session:
    """The environment of a desktop session, as far as a keyring needs one."""

    environment: Mapping[str, str]

    def python(self, program: str, stdin: object = None) -> None:
        run(sys.executable, "-c", program, stdin=json.dumps(stdin).encode(), **self.environment)

    def fetch(self, *names: str, source: str = "shop") -> subprocess.CompletedProcess[bytes]:
        words = [str(KAMAL), "secrets", "fetch", "--adapter", "keyring", "--from", source, *names]
        environment = {**os.environ, **self.environment}
        return subprocess.run(words, env=environment, capture_output=True, check=False, timeout=60)

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self.python(SET, values)

    def lock(self) -> None:
        self.python(LOCK)


@contextmanager
def gnome_session(folder: Path) -> Iterator[Session]:
    """A bus and an unlocked keyring, both in a home of their own."""
    environment = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
    }
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nosyslog", "--print-address"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert bus.stdout is not None
    environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
    daemon = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert daemon.stdin is not None
    daemon.stdin.write(b"login password")
    daemon.stdin.close()
    session = Session(environment)
    try:
        yield session
    finally:
        for process in (daemon, bus):
            process.kill()
            process.wait()
        bus.stdout.close()
