"""Load from wrk, on the core that the proxy does not have."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.proxy.peers import HOST, OTHER_CORE, Server, host_of

CONNECTIONS = 64
RATE = 2000
"""Requests a second of the fixed-rate measurement."""

_MANY_HOSTS = """
local number = 0
request = function()
  number = (number + 7919) % {count}
  return wrk.format("GET", "/1k", {{ Host = "{host}" }})
end
"""

_PACED = """
function init()
  math.randomseed(1)
end
function delay()
  return math.floor(-math.log(1 - math.random()) * {wait_ms} + 0.5)
end
"""


class LoadFailed(Exception):
    """Some requests failed, which makes the figures worthless."""


def throughput(server: Server, path: str, *, seconds: float) -> float:
    """Requests a second over 64 kept-alive connections. Raises LoadFailed."""
    return _rate(_wrk(server, path, seconds, "--header", f"Host: {HOST}"))


def throughput_over_hosts(server: Server, count: int, *, seconds: float) -> float:
    """The same for `/1k`, each request for the next of `count` hosts. Raises LoadFailed."""
    host = host_of(0).replace("0", '" .. number .. "', 1)
    with _script(_MANY_HOSTS.format(count=count, host=host)) as script:
        return _rate(_wrk(server, "/1k", seconds, "--script", script))


def tail_latency(server: Server, path: str, *, seconds: float) -> float:
    """The 99th percentile at about 2,000 requests a second, in milliseconds. Raises LoadFailed.

    Each connection waits a random time between two requests, so that they do not arrive in bursts.
    """
    with _script(_PACED.format(wait_ms=1000 * CONNECTIONS / RATE)) as script:
        said = _wrk(server, path, seconds, "--latency", "--script", script, "--header", f"Host: {HOST}")
    rate = _rate(said)
    if not 0.8 * RATE < rate < 1.2 * RATE:
        raise LoadFailed(f"{server.name}: {rate} requests/s are not the rate that was meant\n{said}")
    value, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)\b", said)[0]
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


@contextmanager
def _script(text: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(text)
        file.flush()
        yield file.name


def _wrk(server: Server, path: str, seconds: float, *options: str) -> str:
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={round(seconds)}s", *options]
    said = subprocess.run(
        ["taskset", "--cpu-list", str(OTHER_CORE), *command, f"http://127.0.0.1:{server.port}{path}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if said.returncode or "Non-2xx" in said.stdout or "Socket errors" in said.stdout:
        raise LoadFailed(f"{server.name}: {shlex.join(command)}\n{said.stdout}{said.stderr}")
    return said.stdout


def _rate(said: str) -> float:
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
