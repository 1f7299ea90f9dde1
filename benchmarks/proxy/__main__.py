"""`python -m benchmarks.proxy`: the data plane beside plain nginx and Caddy, each on the same core in the same run.

Each rate is the median of five rounds in which the proxies take turns.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from typing import TypeVar

from benchmarks.proxy.connections import UPLOADS, bytes_per_idle_connection, bytes_under_uploads
from benchmarks.proxy.load import RATE, tail_latency, throughput, throughput_over_hosts
from benchmarks.proxy.peers import HOST, Caddy, OurProxy, PlainNginx, Server, Target, host_of
from benchmarks.table import Row, render

ROUNDS = 5
SECONDS = 4.0
MANY = 10_000
DEPLOYS = 20
DEPLOY_LIMIT_MS = 50.0

S = TypeVar("S", bound=Server)


def main() -> int:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Target() as target:
        against_nginx, against_caddy = compare(target)
        full_table, deploy_ms = many_services(target)
    print(render(against_nginx, peer="plain nginx"), end="\n\n")
    print(render(against_caddy, peer="Caddy"), end="\n\n")
    print(render(full_table, peer="one service"), end="\n\n")
    print(f"Deploying one of {MANY:,} services takes the server {deploy_ms:.1f} ms; {DEPLOY_LIMIT_MS:.0f} are promised")
    kept = all(row.kept for row in [*against_nginx, *against_caddy, *full_table]) and deploy_ms <= DEPLOY_LIMIT_MS
    return 0 if kept else 1


def compare(target: Target) -> tuple[list[Row], list[Row]]:
    """Rows against plain nginx and rows against Caddy."""
    with ExitStack() as stack:
        ours: OurProxy = stack.enter_context(OurProxy(target))
        ours.deploy("web", HOST)
        nginx: PlainNginx = stack.enter_context(PlainNginx(target))
        caddy: Caddy = stack.enter_context(Caddy(target))
        everyone: tuple[Server, ...] = (ours, nginx, caddy)
        against_nginx: list[Row] = []
        against_caddy: list[Row] = []

        def both(what: str, unit: str, measure: Callable[[Server], float]) -> None:
            figures = {server: measure(server) for server in everyone}
            against_nginx.append(Row(what, unit, figures[ours], figures[nginx]))
            against_caddy.append(Row(what, unit, figures[ours], figures[caddy]))

        for path, caddy_limit in (("/1k", 3.0), ("/100k", None)):
            print(f"Requests a second for {path} ...", flush=True)
            rates = in_turns(everyone, lambda server, path=path: throughput(server, path, seconds=SECONDS))  # type: ignore[misc]
            what = f"GET {path}, 64 connections"
            against_nginx.append(Row(what, "r/s", rates[ours], rates[nginx], 0.55, more_is_better=True))
            against_caddy.append(Row(what, "r/s", rates[ours], rates[caddy], caddy_limit, more_is_better=True))
        print(f"Latency at {RATE} requests a second ...", flush=True)
        tails = in_turns((ours, nginx), lambda server: tail_latency(server, "/1k", seconds=SECONDS))
        against_nginx.append(Row(f"p99 at {RATE} requests/s", "ms", tails[ours], tails[nginx], 1.5))
        print("Memory ...", flush=True)
        both("memory per idle connection", "KiB", lambda server: bytes_per_idle_connection(server) / 1024)
        both(f"memory under {UPLOADS} slow uploads", "MiB", lambda server: bytes_under_uploads(server) / 2**20)
        return against_nginx, against_caddy


def many_services(target: Target) -> tuple[list[Row], float]:
    """Measure a full table beside a table of one, and the milliseconds that deploying one of the many takes."""
    print(f"Starting with {MANY:,} services ...", flush=True)
    with OurProxy(target, services=MANY) as many, OurProxy(target, services=1) as one:
        counts = {many: MANY, one: 1}
        print("Requests a second over all of them ...", flush=True)
        rates = in_turns((many, one), lambda server: throughput_over_hosts(server, counts[server], seconds=SECONDS))
        spent = {
            server: 1000 * median(server.seconds_to_deploy("web-0", host_of(0)) for _ in range(DEPLOYS))
            for server in counts
        }
    rows = [
        Row(f"GET /1k over {MANY:,} services", "r/s", rates[many], rates[one], 0.85, more_is_better=True),
        Row("deploying one of them", "ms", spent[many], spent[one]),
    ]
    return rows, spent[many]


def in_turns(servers: Sequence[S], measure: Callable[[S], float]) -> dict[S, float]:
    """The median of five rounds for each server."""
    figures: dict[S, list[float]] = {server: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            figures[server].append(measure(server))
    return {server: median(found) for server, found in figures.items()}


if __name__ == "__main__":
    sys.exit(main())
