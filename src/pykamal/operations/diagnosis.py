"""From a failed boot and what the container left behind to an error that says what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pykamal.core.errors import CommandFailed, KamalError
from pykamal.transport.session import StepResult

LOG_LINES = 20

_PORT_TAKEN = "another program on the host has the port: stop it, or set proxy/run/http_port and https_port"
_NO_DOCKER = "Docker is not installed there: run kamal server bootstrap, or kamal setup"


def explained(error: KamalError, failure: StepResult, evidence: Sequence[StepResult]) -> KamalError:
    """The same error with the container's state and last log lines, and the likely cause as its hint.

    `evidence` is the result of `pykamal.commands.app.container_state`.
    """
    lines = evidence[0].stdout.splitlines() if evidence else []
    container = _container(lines)
    details = list(error.details)
    if container is not None:
        details.append(f"container: {container.described}")
        details += ["last log lines:", *(f"  {line}" for line in lines[1:][-LOG_LINES:])] if lines[1:] else []
    error.details = tuple(details)
    error.hint = error.hint or (container.hint if container is not None else None)
    error.hint = error.hint or hint_of(failure.stdout, failure.stderr)
    return error


def with_hint(failure: StepResult, host: str) -> CommandFailed:
    """A failed command as an error with the hint that its output suggests."""
    error = failure.failure(host)
    error.hint = hint_of(failure.stdout, failure.stderr)
    return error


@dataclass(frozen=True, slots=True)
class _Container:
    """What became of a container; `state` is Docker's own record."""

    restarts: int
    state: Mapping[str, Any]

    @property
    def described(self) -> str:
        state = self.state
        parts = [str(state.get("Status", "unknown"))]
        if self.restarts:
            parts.append(f"restarted {self.restarts} times")
        if state.get("Status") == "exited" or state.get("ExitCode"):
            parts.append(f"exit code {state.get('ExitCode')}")
        if state.get("OOMKilled"):
            parts.append("killed: out of memory")
        health = state.get("Health") or {}
        if health:
            parts.append(f"health {health.get('Status')}")
        if health.get("Log"):
            parts.append(f"last check: {str(health['Log'][-1].get('Output', '')).strip()}")
        return ", ".join(parts)

    @property
    def hint(self) -> str | None:
        if self.state.get("OOMKilled"):
            return "the container ran out of memory: raise its memory option, or make the app smaller"
        if self.restarts or self.state.get("Status") in {"exited", "restarting", "dead"}:
            return "the app exited at start: the last log lines above say why"
        return None


def _container(lines: Sequence[str]) -> _Container | None:
    try:
        found = json.loads(lines[0]) if lines else {}
        return _Container(found["restarts"], found["state"])
    except (ValueError, KeyError, TypeError):
        return None


_HINTS = {
    "target failed to become healthy": "the app runs but its health check does not answer 2xx in time: check "
    "proxy/app_port and proxy/healthcheck/path, or raise deploy_timeout",
    "port is already allocated": _PORT_TAKEN,
    "address already in use": _PORT_TAKEN,
    "manifest unknown": "the image is not in the registry: build and push it (kamal build push), or check --version",
    "no space left on device": "the disk of the host is full: free space (kamal prune all, docker system df)",
    "cannot connect to the docker daemon": "the Docker engine is not running there: start it (systemctl start docker)",
    "permission denied while trying to connect": "the SSH user may not use Docker: run kamal server bootstrap",
    "unauthorized": "the registry refused the credentials: check registry/username and registry/password",
    "docker: not found": _NO_DOCKER,
    "docker: command not found": _NO_DOCKER,
}
"""What a failed command's output (in lower case) suggests to do next; the first match counts."""


def hint_of(stdout: str, stderr: str) -> str | None:
    """What to do next, as far as the output of a failed command tells."""
    output = (stderr + stdout).lower()
    return next((hint for text, hint in _HINTS.items() if text in output), None)
