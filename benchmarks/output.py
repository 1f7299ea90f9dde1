"""The way of output from a host to the reader: `kamal` against `ssh` in the same run."""

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
ROUNDS = 3
SECRETS = 50
TIME_LIMIT = 10.0
MEMORY_LIMIT = 5.0

LINE = 'INFO [3f2a9c51] GET /api/items?page=7 200 12ms path="/srv/app" {"a":"b"} secret-value-0007-xxxxxxxxxxxxxxxxxxxx'
WAYS: Mapping[str, Sequence[str]] = {
    "server exec": ("server", "exec"),
    "server exec --raw": ("server", "exec", "--raw"),
    "server exec --output json": ("server", "exec", "--output", "json"),
    f"app exec -v, {SECRETS} secrets": ("app", "exec", "--verbose"),
    f"app exec --output json, {SECRETS} secrets": ("app", "exec", "--output", "json"),
}
"""With `-v` and as JSON each line comes twice: as it arrives, without the secrets, and as the answer."""


def measure(sandbox: Sandbox, folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """Return rows of time and memory for a long output of the first host, on which the application runs."""
    host = sandbox.hosts[0]
    config = ["-c", str(_with_secrets(folder, host.address))]
    printing = f"yes {shlex.quote(LINE)} | head -c {MEGABYTES}000000"
    by_busybox = f"/bin/busybox yes {shlex.quote(LINE)} | /bin/busybox head -c {MEGABYTES}000000"
    in_container = f"/bin/busybox sh -c {shlex.quote(by_busybox)}"
    image = f"{sandbox.manifest.registry_server}/hello/app:latest"
    peers = {
        "server": sandbox.ssh_argv(host.name, [printing]),
        "app": sandbox.ssh_argv(host.name, [f"docker run --rm {image} {in_container}"]),
    }
    rows = []
    for what, words in WAYS.items():
        arguments = [str(KAMAL), *words, *config, in_container if words[0] == "app" else printing]
        ours: list[Cost] = []
        peer: list[Cost] = []
        for _ in range(ROUNDS):
            ours.append(run(arguments, directory=folder, environment=environment))
            peer.append(run(peers[words[0]], directory=folder, environment=environment))
        mine, theirs = medians(ours), medians(peer)
        rows.append(Row(f"{what}, {MEGABYTES} MB", "s", mine.seconds, theirs.seconds, TIME_LIMIT))
        rows.append(Row("peak memory of it", "MiB", mine.peak, theirs.peak, MEMORY_LIMIT))
    return rows


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
