"""The example application as a team has it: a Git repository with a configuration, deployed by running `kamal`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml import safe_dump, safe_load

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parent.parent.parent
KAMAL = ROOT / ".venv" / "bin" / "kamal"
RUBY_KAMAL = ROOT / ".cache" / "oracle" / "bin" / "kamal"


@dataclass(frozen=True, slots=True)
class Outcome:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Application:
    """`folder` is the work tree; `sandbox` has the servers. Methods run real commands and return when they are done.

    `entrance` is what a command line begins with that runs the tools somewhere else than here (`nsenter ...`).
    """

    folder: Path
    sandbox: Sandbox
    environment: dict[str, str] = field(default_factory=dict)
    entrance: tuple[str, ...] = ()

    @classmethod
    def create(cls, folder: Path, sandbox: Sandbox) -> Application:
        shutil.copytree(ROOT / "examples" / "hello", folder)
        sandbox.copy_project(folder)
        environment = {**os.environ, **sandbox.environment(), "NO_COLOR": "1"}
        environment.pop("VERSION", None)
        application = cls(folder, sandbox, environment)
        application.git("init", "-q", "-b", "main")
        application.git("config", "user.email", "ada@example.com")
        application.git("config", "user.name", "Ada")
        application.commit("first version")
        return application

    # -- the repository

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; the new revision, which is the app's version."""
        (self.folder / "VERSION").write_text(f"{message}\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def configure(self, **changes: Any) -> None:
        """Replace root keys of deploy.yml; None removes one."""
        settings = self.settings()
        for key, value in changes.items():
            settings.pop(key, None)
            if value is not None:
                settings[key] = value
        self._settings_file.write_text(safe_dump(settings, sort_keys=False))

    def settings(self) -> dict[str, Any]:
        """deploy.yml as it is now."""
        read: dict[str, Any] = safe_load(self._settings_file.read_text())
        return read

    @property
    def _settings_file(self) -> Path:
        return self.folder / "config" / "deploy.yml"

    def hook(self, name: str, script: str) -> None:
        path = self.folder / ".kamal" / "hooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    # -- the tools

    def kamal(self, *arguments: str, expect: int | None = 0, environment: Mapping[str, str] | None = None) -> Outcome:
        """Run this project's `kamal`. Fails the test on another exit code than `expect`."""
        return self._run(KAMAL, arguments, expect, environment)

    def ruby_kamal(self, *arguments: str, expect: int | None = 0) -> Outcome:
        """Run the real Ruby Kamal in the same place."""
        return self._run(RUBY_KAMAL, arguments, expect, None)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `kamal` and leave it running."""
        return subprocess.Popen(
            [str(KAMAL), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _run(
        self, program: Path, arguments: tuple[str, ...], expect: int | None, environment: Mapping[str, str] | None
    ) -> Outcome:
        done = subprocess.run(
            [*self.entrance, str(program), *arguments],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=180,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        if expect is not None:
            assert outcome.exit_code == expect, (
                f"kamal {' '.join(arguments)} exited {outcome.exit_code}:\n{outcome.text}"
            )
        return outcome

    # -- the servers

    @property
    def hosts(self) -> list[Host]:
        return self.sandbox.hosts

    def version_served(self, host: Host) -> str | None:
        """The version that answers on a host's port 80, or None when nothing does."""
        try:
            with urllib.request.urlopen(f"http://{host.address}/version", timeout=5) as answer:
                return str(json.load(answer)["version"])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def containers(self, host: Host, *arguments: str) -> list[str]:
        """Names of running containers, or of all with `--all`."""
        return host.docker("ps", "--format", "{{.Names}}", *arguments).split()

    def locked(self, host: Host) -> bool:
        return host.exists("/root/.kamal/lock-hello")


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str]:
    """Send a signal and wait; exit code and output."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def wait_until(condition: Any, *, seconds: float = 30, what: str = "condition") -> None:
    """Poll until true. Fails the test when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.05)
