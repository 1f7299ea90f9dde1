"""One command on 200 hosts against pyinfra, which also has one process and a connection for each host.

The hosts are names for one sshd of this machine. So the figures hold the cost of both sides of 200 logins, and a login
that takes long is one whose start-up file sleeps: it costs hosts of its own no more time than this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.sshd import Sshd, start_sshd
from yaml import safe_dump

from benchmarks.measure import Cost, medians, run
from benchmarks.project import KAMAL, ROOT
from benchmarks.table import Row, render

PYINFRA = ROOT / ".cache" / "bench" / "bin" / "pyinfra"
HOSTS = 200
ROUNDS = 3
SLOW_S = 0.5
START_UP = {"plain logins": ("", None), f"logins of {SLOW_S} s": (f"sleep {SLOW_S}\n", 1.25)}
"""Start-up files by kind of login, with the limit of the ratio. Plain logins have none: here they cost more on the side
of sshd, which has the same cores, than on that of either tool.
"""


def measure(hosts: int = HOSTS) -> tuple[list[Row], list[str]]:
    """Return a row for each kind of login, and the login shells that each tool started."""
    with tempfile.TemporaryDirectory(prefix="pykamal-bench-") as folder:
        server = start_sshd(Path(folder), settings=[f"MaxStartups {2 * hosts}"])
        try:
            return _measured(server, [f"host{number}" for number in range(hosts)])
        finally:
            server.stop()


def _measured(server: Sshd, names: list[str]) -> tuple[list[Row], list[str]]:
    folder, logins = server.directory, server.directory / "logins"
    commands = (_kamal(server, names), _pyinfra(server, names))
    environment: Mapping[str, str] = {**os.environ, "NO_COLOR": "1", "VERSION": "v1"}
    rows, notes = [], []
    for kind, (start_up, limit) in START_UP.items():
        (folder / "home" / ".bashrc").write_text(f"echo login >> {logins}\n{start_up}")
        costs: tuple[list[Cost], list[Cost]] = ([], [])
        counted: list[int] = []
        for _ in range(ROUNDS):
            for command, measured in zip(commands, costs, strict=True):
                logins.write_text("")
                measured.append(run(command, directory=folder / "project", environment=environment))
                counted.append(logins.read_text().count("login"))
        ours, peer = (medians(each) for each in costs)
        rows.append(Row(f"server exec, {len(names)} hosts, {kind}", "s", ours.seconds, peer.seconds, limit))
        notes.append(f"Login shells on {len(names)} hosts, {kind}: {counted[::2]}, by pyinfra {counted[1::2]}")
        if max(counted[::2]) > len(names):
            raise SystemExit(notes[-1])
    return rows, notes


def _kamal(server: Sshd, names: list[str]) -> list[str]:
    """The command line that runs in a project whose hosts are these names."""
    project = server.directory / "project"
    (project / "config").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    client = server.directory / "ssh_config"
    client.write_text(f"Host host*\n  HostName 127.0.0.1\n  IdentityFile {server.key}\n  IdentitiesOnly yes\n")
    known_hosts = server.directory / "known_hosts"
    known_hosts.write_text("".join(f"[{name}]:{server.port} {server.host_key()}\n" for name in names))
    settings = {
        "service": "app",
        "image": "me/app",
        "servers": names,
        "registry": {"server": "localhost:5555"},
        "builder": {"arch": "amd64"},
        "ssh": {"user": server.user, "port": server.port, "config": str(client)},
        "x-pykamal": {"ssh": {"known_hosts": str(known_hosts)}},
    }
    (project / "config" / "deploy.yml").write_text(safe_dump(settings))
    return [str(KAMAL), "server", "exec", "hostname"]


def _pyinfra(server: Sshd, names: list[str]) -> list[str]:
    known_hosts = server.directory / "known_hosts_of_pyinfra"
    known_hosts.write_text(server.known_hosts_line())
    data = {
        "ssh_hostname": "127.0.0.1",
        "ssh_port": server.port,
        "ssh_user": server.user,
        "ssh_key": str(server.key),
        "ssh_known_hosts_file": str(known_hosts),
    }
    inventory = server.directory / "inventory.py"
    inventory.write_text(f"hosts = [(name, {data!r}) for name in {names!r}]\n")
    return [str(PYINFRA), "-y", str(inventory), "exec", "--", "hostname"]


def main() -> int:
    rows, notes = measure(int(sys.argv[1]) if len(sys.argv) > 1 else HOSTS)
    print(render(rows, peer="pyinfra"))
    print("\n".join(notes))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
