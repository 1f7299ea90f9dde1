"""The main job, from a commit to two servers: set up, update under load, roll back. `make demo` runs it.

Everything happens on throwaway servers of this machine; `make demo-down` removes them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.load_generator import Load, Summary

from pykamal.core.errors import KamalError
from pykamal.sandbox.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "demo" / "hello"
LOG = FOLDER.parent / "kamal.log"
KAMAL = Path(sys.executable).parent / "kamal"
HOSTS = 2
RATE = 250
"""Requests a second to each host; the demo promises at least 200, from the first to the last answer."""


def up() -> int:
    sandbox = Sandbox("demo")
    say(f"1. {HOSTS} servers, each with its own sshd and Docker engine, and a registry")
    sandbox.up(hosts=HOSTS, say=lambda line: print(f"   {line}", flush=True))
    for host in sandbox.hosts:
        host.reset()
        print(f"   {host.name}: {host.address}")

    say("2. An application in a Git repository, and one YAML file")
    demo = Demo(sandbox)
    print(f"   {FOLDER.relative_to(ROOT)}, configuration in config/deploy.yml")
    first = demo.commit("first release")

    say("3. kamal setup: from the commit to both servers")
    demo.kamal("setup")
    print(f"   version {first[:7]} runs on {', '.join(host.address for host in sandbox.hosts)}")

    say(f"4. Three deploys and a rollback, under {RATE} requests a second to each server")
    urls = [f"http://{host.address}/" for host in sandbox.hosts]
    with Load(urls, rate=RATE, keep_alive_fraction=0.5, slow_fraction=0.002, slow_seconds=1) as load:
        for name in ("second", "third", "fourth"):
            demo.commit(f"{name} release")
            demo.kamal("deploy")
        demo.kamal("rollback", first)
    report(load.summary, urls)
    print(f"\nThe full output of kamal is in {LOG.relative_to(ROOT)}.")
    print(f"Look around: cd {FOLDER.relative_to(ROOT)}, kamal details, kamal app logs; make demo-down removes it all.")
    return 0 if load.summary.failed == 0 else 1


def down() -> int:
    removed = Sandbox("demo").down()
    shutil.rmtree(FOLDER.parent, ignore_errors=True)
    say("The demo's servers are gone." if removed else "There is no demo to remove.")
    return 0


class Demo:
    """The example application as its team has it."""

    def __init__(self, sandbox: Sandbox) -> None:
        shutil.rmtree(FOLDER.parent, ignore_errors=True)
        shutil.copytree(ROOT / "examples" / "hello", FOLDER)
        sandbox.copy_project(FOLDER)
        self.environment: Mapping[str, str] = {**os.environ, **sandbox.environment(), "NO_COLOR": "1"}
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "Demo")
        self.git("config", "user.email", "demo@example.com")

    def commit(self, message: str) -> str:
        (FOLDER / "VERSION").write_text(f"{message}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=FOLDER, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def kamal(self, *arguments: str) -> None:
        """Run it. Its output goes to the log, and to the screen when it fails."""
        started = time.monotonic()
        done = subprocess.run(
            [str(KAMAL), *arguments],
            cwd=FOLDER,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        with LOG.open("a") as log:
            log.write(f"$ kamal {' '.join(arguments)}\n{done.stdout}\n")
        print(f"   $ kamal {' '.join(arguments)}  ({seconds:.1f} s)", flush=True)
        if done.returncode:
            print(done.stdout)
            raise SystemExit(done.returncode)


def report(summary: Summary, urls: list[str]) -> None:
    say("5. What the clients saw")
    for url in urls:
        versions = " > ".join(seen.version[:7] for seen in summary.versions[url])
        print(f"   {url} answered with versions {versions}")
    rate = summary.sent / summary.seconds / len(urls)
    print(f"   {summary.sent} requests in {summary.seconds:.0f} s, {rate:.0f} a second to each server")
    print(f"   p50 {summary.p50_ms:.1f} ms, p99 {summary.p99_ms:.1f} ms")
    for failure in summary.failures[:5]:
        print(f"   failed after {failure.at:.1f} s: {failure.target} {failure.reason}")
    print(f"   {summary.failed} failed")


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(down() if sys.argv[1:] == ["down"] else up())
    except KamalError as error:
        print(f"\nERROR: {error.message}", *error.details, sep="\n", file=sys.stderr)
        if error.hint:
            print(f"Next: {error.hint}", file=sys.stderr)
        sys.exit(1)
