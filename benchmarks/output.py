"""The way of output from a host to the reader: its time against `ssh`, its memory against a short output."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from yaml import safe_dump, safe_load

from benchmarks.measure import Cost, medians, run
from benchmarks.project import KAMAL
from benchmarks.table import Row
from pykamal.sandbox.sandbox import Sandbox

MEGABYTES = 100
SHORT_MEGABYTES = 1
ROUNDS = 3
SECRETS = 50
TIME_LIMIT = 10.0
MEMORY_LIMIT = 1.25

LINE = 'INFO [3f2a9c51] GET /api/items?page=7 200 12ms path="/srv/app" {"a":"b"} secret-value-0007-xxxxxxxxxxxxxxxxxxxx'
WAYS: Mapping[str, Sequence[str]] = {
    "server exec": ("server", "exec"),
    "server exec --raw": ("server", "exec", "--raw"),
    "server exec --output json": ("server", "exec", "--output", "json"),
    f"app exec -v, {SECRETS} secrets": ("app", "exec", "--verbose"),
    f"app exec --output json, {SECRETS} secrets": ("app", "exec", "--output", "json"),
}
"""With `-v` and as JSON each line comes twice: as it arrives, without the secrets, and as the answer."""


def measure(sandbox: Sandbox, folder: Path, environment: Mapping[str, str]) -> tuple[list[Row], list[Row]]:
    """Return rows of time and rows of memory for a long output of the first host, on which the application runs."""
    host = sandbox.hosts[0]
    config = ["-c", str(_with_secrets(folder, host.address))]
    printing, in_container = _printing(MEGABYTES)
    image = f"{sandbox.manifest.registry_server}/hello/app:latest"
    peers = {
        "server": sandbox.ssh_argv(host.name, [printing]),
        "app": sandbox.ssh_argv(host.name, [f"docker run --rm {image} {in_container}"]),
    }
    times, memory = [], []
    for what, words in WAYS.items():
        command, short = (
            [str(KAMAL), *words, *config, _printing(size)[words[0] == "app"]] for size in (MEGABYTES, SHORT_MEGABYTES)
        )
        long: list[Cost] = []
        brief: list[Cost] = []
        peer: list[Cost] = []
        for _ in range(ROUNDS):
            long.append(run(command, directory=folder, environment=environment))
            brief.append(run(short, directory=folder, environment=environment))
            peer.append(run(peers[words[0]], directory=folder, environment=environment))
        label = f"{what}, {MEGABYTES} MB"
        times.append(Row(label, "s", medians(long).seconds, medians(peer).seconds, TIME_LIMIT))
        memory.append(Row(label, "MiB", medians(long).peak, medians(brief).peak, MEMORY_LIMIT))
    return times, memory


def _printing(megabytes: int) -> tuple[str, str]:
    """Return the command that prints so much on a host, and the one that does it in a container."""
    printing = f"yes {shlex.quote(LINE)} | head -c {megabytes}000000"
    by_busybox = f"/bin/busybox yes {shlex.quote(LINE)} | /bin/busybox head -c {megabytes}000000"
    return printing, f"/bin/busybox sh -c {shlex.quote(by_busybox)}"


def _with_secrets(folder: Path, address: str) -> Path:
    """Write a configuration for one host whose application has many secrets."""
    names = [f"SECRET_{number}" for number in range(SECRETS)]
    secrets = folder / ".kamal" / "secrets"
    values = "".join(f"{name}=secret-value-{number:04}-{'x' * 20}\n" for number, name in enumerate(names))
    secrets.write_text(f"{secrets.read_text()}{values}")
    settings = safe_load((folder / "config" / "deploy.yml").read_text())
    path = folder / "config" / "deploy-secrets.yml"
    path.write_text(safe_dump({**settings, "servers": [address], "env": {"secret": names}}, sort_keys=False))
    return path
