"""A real OpenSSH server of the test's own on a free port of 127.0.0.1."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@dataclass
class Sshd:
    """A running server. `log` is its own log; `key` opens it for `user`."""

    port: int
    directory: Path
    key: Path
    process: subprocess.Popen[bytes]
    user: str
    _started: list[int] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def host_key(self, kind: str = "ed25519") -> str:
        """The public key as known_hosts has it: type and base64."""
        return " ".join((self.directory / f"host_{kind}.pub").read_text().split()[:2])

    def known_hosts_line(self, kind: str = "ed25519") -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key(kind)}\n"

    def stop(self) -> None:
        """Stop listening, end every connection and what was started over any of them."""
        self.drop_connections()
        for process_id in self._started:
            _kill(process_id)
        self.process.terminate()
        self.process.wait(10)

    def drop_connections(self) -> None:
        """Cut every open connection; the server goes on listening, and what runs there is left to itself."""
        for process_id, name in _descendants(self.process.pid):
            if name.startswith("sshd"):
                _kill(process_id)
            else:
                self._started.append(process_id)


def start_sshd(
    directory: Path,
    *,
    settings: Sequence[str] = (),
    host_keys: Sequence[str] = ("ed25519",),
    home: Path | None = None,
    log_level: str = "VERBOSE",
    prefix: Sequence[str] = (),
) -> Sshd:
    """Start a server with keys and an authorized_keys file of its own. `settings` are lines of sshd_config(5).

    `prefix` is put before the command line of sshd. Sessions have a home directory without start-up files unless `home`
    names another: a test must not depend on what the real ones do, nor cut them off in the middle.
    """
    assert SSHD is not None, "openssh-server is not installed"
    (directory / "home").mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    key = directory / "id_ed25519"
    if not key.exists():
        new_key(key)
    for kind in host_keys:
        if not (directory / f"host_{kind}").exists():
            new_key(directory / f"host_{kind}", kind)
    authorized = directory / "authorized_keys"
    authorized.write_bytes(key.with_suffix(".pub").read_bytes())
    port = free_port()
    lines = [
        *settings,
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        *(f"HostKey {directory}/host_{kind}" for kind in host_keys),
        f"AuthorizedKeysFile {authorized}",
        f"PidFile {directory}/pid",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin yes",
        f"LogLevel {log_level}",
        f"SetEnv HOME={home or directory / 'home'}",
    ]
    (directory / "sshd_config").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [*prefix, SSHD, "-D", "-f", str(directory / "sshd_config"), "-E", str(directory / "log")]
    )
    server = Sshd(port, directory, key, process, getpass.getuser())
    _await_port(port, process)
    return server


def new_key(path: Path, kind: str = "ed25519", *, passphrase: str = "") -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)], check=True, timeout=60
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, "sshd did not start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("sshd does not listen")


def _descendants(process_id: int) -> list[tuple[int, str]]:
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in found.stdout.splitlines()]
    family = {process_id}
    names = []
    for row in rows:  # sorted by time of birth: parents come first
        if int(row[1]) in family:
            family.add(int(row[0]))
            names.append((int(row[0]), row[2]))
    return names


def _kill(process_id: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process_id, 9)
