"""`make bench`: start-up, reading and deploying against Ruby Kamal on the same sandbox hosts, long output
against ssh and against a short one.

Each measurement alternates the two tools and takes the median, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from benchmarks import output
from benchmarks.measure import Cost, medians, run
from benchmarks.project import KAMAL, RUBY_KAMAL, make_project, push_versions, with_hosts, with_large_file
from benchmarks.table import Row, render
from pykamal.sandbox.sandbox import Sandbox

HOSTS = 4
ROUNDS = 5
DEPLOY_ROUNDS = 4
SETTLING_S = 2.0


def main() -> int:
    sandbox = Sandbox("bench")
    print(f"Bringing up {HOSTS} sandbox hosts ...", flush=True)
    sandbox.up(hosts=HOSTS, say=print)
    try:
        with tempfile.TemporaryDirectory(prefix="pykamal-bench-") as folder:
            benchmark = Benchmark(sandbox, Path(folder) / "hello")
            rows, notes = benchmark.measure()
            print(render(rows, peer="Ruby Kamal"))
            print("\n".join(notes), flush=True)
            times, memory = output.measure(sandbox, benchmark.folder, benchmark.environment)
    finally:
        sandbox.down()
    print(render(times, peer="ssh"))
    print(render(memory, peer=f"kamal, {output.SHORT_MEGABYTES} MB"))
    return 0 if all(row.kept for row in (*rows, *times, *memory)) else 1


class Benchmark:
    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.environment: Mapping[str, str] = make_project(sandbox, folder)
        self.versions = (f"v{number}" for number in count(1))
        self.rows: list[Row] = []
        self.notes: list[str] = []

    def measure(self) -> tuple[list[Row], list[str]]:
        self.compare("kamal version", ["version"], limit=0.15)
        self.compare("kamal --help", ["--help"])
        self.compare("kamal config", ["config", "--version", "v1"])
        self.configuration()
        for size in (1, 2, 4):
            self.deploys(size)
        return self.rows, self.notes

    def configuration(self) -> None:
        """`kamal config` of a file as a grown application has it: two hundred lines with templates and anchors."""
        path = with_large_file(self.folder)
        arguments = ["config", "--version", "v1", "-c", str(path)]
        ours, peer = self.compare("kamal config of 200 lines", arguments, limit=0.35)
        self.rows.append(Row("peak memory of it", "MiB", ours.peak, peer.peak, 0.4))

    def compare(self, what: str, arguments: list[str], *, limit: float | None = None) -> tuple[Cost, Cost]:
        """A row of the medians, which are ours and the peer's."""
        ours, peer = [], []
        for _ in range(ROUNDS):
            ours.append(self.run(KAMAL, arguments))
            peer.append(self.run(RUBY_KAMAL, arguments))
        self.row(what, medians(ours), medians(peer), limit)
        return medians(ours), medians(peer)

    def deploys(self, size: int) -> None:
        """`app details` and `deploy --skip-push` of ever new versions on the first `size` hosts."""
        print(f"Deploying to {size} hosts ...", flush=True)
        hosts = [host.address for host in self.sandbox.hosts[:size]]
        config = ["-c", str(with_hosts(self.folder, hosts))]
        versions = [next(self.versions) for _ in range(2 * DEPLOY_ROUNDS + 3)]
        push_versions(self.sandbox, self.folder, versions)
        self.run(RUBY_KAMAL, ["setup", "--skip-push", "--version", versions.pop(), *config])
        self.run(KAMAL, ["deploy", "--skip-push", "--version", versions.pop(), *config])
        ours: list[Cost] = []
        peer: list[Cost] = []
        for _ in range(DEPLOY_ROUNDS):
            for program, costs in ((KAMAL, ours), (RUBY_KAMAL, peer)):
                # The engines still tidy up after the deploy before, which is nothing of this one's.
                time.sleep(SETTLING_S)
                costs.append(self.run(program, ["deploy", "--skip-push", "--version", versions.pop(), *config]))
        noun = "host" if size == 1 else "hosts"
        self.row(f"deploy --skip-push, {size} {noun}", medians(ours), medians(peer), 0.5)
        self.rows.append(Row(f"peak memory of it, {size} {noun}", "MiB", medians(ours).peak, medians(peer).peak, 0.5))
        self.compare(f"app details, {size} {noun}", ["app", "details", *config])
        self.count_commands(size, versions.pop(), config)

    def count_commands(self, size: int, version: str, config: list[str]) -> None:
        """SSH commands of one deploy, by our own events and by the hosts' sshd logs."""
        for host in self.sandbox.hosts:
            host.clear_sshd_log()
        arguments = [str(KAMAL), "deploy", "--skip-push", "--version", version, "--output", "json", *config]
        done = subprocess.run(
            arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        exchanges: dict[str, int] = {}
        for line in done.stdout.splitlines():
            event = json.loads(line)
            if event["event"] == "command-started" and event["host"]:
                exchanges[event["host"]] = max(exchanges.get(event["host"], 0), event["exchange"])
        logged = [host.sshd_log().count("Starting session: command") for host in self.sandbox.hosts[:size]]
        counted = list(exchanges.values())
        self.notes.append(
            f"SSH commands awaited per host, deploy on {size}: {max(counted)} by our events {counted}, "
            f"{max(logged)} by the hosts' sshd logs {logged}; at most 12 promised"
        )
        if max([*counted, *logged]) > 12:
            raise SystemExit(self.notes[-1])

    def run(self, program: Path, arguments: list[str]) -> Cost:
        return run([str(program), *arguments], directory=self.folder, environment=self.environment)

    def row(self, what: str, ours: Cost, peer: Cost, limit: float | None) -> None:
        self.rows.append(Row(what, "s", ours.seconds, peer.seconds, limit))


if __name__ == "__main__":
    sys.exit(main())
