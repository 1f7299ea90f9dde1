"""The sandbox's image registry: Debian's docker-registry behind a password, on a unix socket.

On every machine, and the operator's own, a forwarder listens on the same loopback port. Docker trusts 127.0.0.0/8
without TLS, so that no engine needs a daemon.json, and one reference names an image everywhere.
"""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes
from pykamal.sandbox.engine import unix_request
from pykamal.sandbox.manifest import Journal, Manifest, Process
from pykamal.sandbox.paths import Paths

ROLE = "registry"
FORWARD_ROLE = "registry forward"


def start(journal: Journal) -> None:
    """Start the registry and the operator's forwarder to it, and record both."""
    manifest, paths = journal.manifest, journal.paths
    line = background_processes.run(password_program(manifest), stdin=manifest.registry_password)
    listen = {"addr": str(paths.registry_socket), "net": "unix"}
    write_settings(manifest, paths, password_line=line, folder=paths.registry, listen=listen)
    start_server(journal)
    start_forward(journal)


def start_forward(journal: Journal) -> None:
    manifest, paths = journal.manifest, journal.paths
    listen = f"TCP-LISTEN:{manifest.registry_port},bind=127.0.0.1,reuseaddr,fork"
    forward = ["socat", listen, f"UNIX-CONNECT:{paths.registry_socket}"]
    journal.add(FORWARD_ROLE, background_processes.spawn(forward, log=paths.registry / "forward.log"))


def start_server(journal: Journal) -> None:
    paths = journal.paths
    paths.registry_socket.unlink(missing_ok=True)
    argv = ["docker-registry", "serve", str(paths.registry / "config.yml")]
    journal.add(ROLE, background_processes.spawn(argv, log=paths.registry / "registry.log"))


def stop_server(process: Process) -> None:
    background_processes.end({process.pid: process.started_ticks})


def wait(paths: Paths, *, timeout_seconds: float = 10.0) -> None:
    """Wait until the registry answers. Raises SandboxError after the time-out."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            unix_request(paths.registry_socket, "GET", "/v2/", timeout_seconds=timeout_seconds)
        except OSError as error:
            if time.monotonic() > deadline:
                log = (paths.registry / "registry.log").read_text(errors="replace").splitlines()[-5:]
                raise SandboxError(f"The registry does not answer: {error}", details=tuple(log)) from error
            time.sleep(0.01)
        else:
            return


def answers(manifest: Manifest) -> bool:
    """Return True where the registry answers on its port of this machine with a request for the password."""
    connection = http.client.HTTPConnection("127.0.0.1", manifest.registry_port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == http.HTTPStatus.UNAUTHORIZED
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def password_program(manifest: Manifest) -> list[str]:
    """Return the program that turns a password on its input into a line of the password file.

    A cost of 4 rounds: the registry checks the password at every request, and it guards nothing but this machine.
    """
    return ["htpasswd", "-niB", "-C", "4", manifest.registry_username]


def write_settings(
    manifest: Manifest, paths: Paths, *, password_line: str, folder: Path, listen: dict[str, str]
) -> None:
    """Write the registry's settings and password file. `folder` is its path in there, `listen` its `http` keys."""
    (paths.registry / "storage").mkdir(parents=True, exist_ok=True)
    (paths.registry / "htpasswd").write_text(password_line)
    settings = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {**listen, "secret": manifest.token},
        "auth": {"htpasswd": {"realm": "sandbox", "path": str(folder / "htpasswd")}},
    }
    (paths.registry / "config.yml").write_text(json.dumps(settings, indent=2))  # JSON is YAML
