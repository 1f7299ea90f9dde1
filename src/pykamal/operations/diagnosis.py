"""From a failed boot and what the container left behind to an error that says what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pykamal.commands import proxy, readiness
from pykamal.core.errors import BootError, KamalError
from pykamal.transport.session import StepResult

LOG_LINES = 20
HINT_LINES = 10

_PORT_TAKEN = "another program on the host has the port: stop it, or set proxy/run/http_port and https_port"
_DISK_FULL = "the disk of the host is full: see `df -h` there; `kamal prune all` removes old containers and images"
_CREDENTIALS = "the registry refused the credentials: check registry/username and registry/password"
_REGISTRY_SILENT = (
    "the registry does not answer: see whether it is up and in reach from there, and registry/server in deploy.yml"
)
_NO_DOCKER = "Docker is not installed there: run kamal server bootstrap, or kamal setup"


def explained(failure: StepResult, host: str, evidence: Sequence[StepResult]) -> KamalError:
    """A failed step as an error with the container's state and last log lines, and the likely cause as its hint.

    `evidence` is the result of `pykamal.commands.app.container_state`.
    """
    error = error_of(failure, host)
    lines = evidence[0].stdout.splitlines() if evidence else []
    container = _container(lines)
    if container is not None:
        logged = ["last log lines:", *(f"  {line}" for line in lines[1:][-LOG_LINES:])] if lines[1:] else []
        error.details = (*error.details, f"container: {container.described}", *logged)
        error.hint = container.hint or error.hint
    return error


def failed_step(results: Sequence[StepResult]) -> StepResult | None:
    """The step that ended a script before its time, if any."""
    if results and not results[-1].ok and not results[-1].step.command.may_fail:
        return results[-1]
    return None


def error_of(failure: StepResult, host: str) -> KamalError:
    """A failed step as an error, with the hint that its output suggests.

    `BootError` where the step itself says what is wrong: no container for the proxy to route to (spec/cli.md 13.5.1,
    step 8), or a host that is not ready.
    """
    error = failure.failure(host)
    known = _known(failure, host)
    if known is not None:
        message, hint = known
        return BootError(message, host=host, details=error.details, hint=hint)
    error.hint = hint_of(failure.stdout, failure.stderr)
    return error


def _known(failure: StepResult, host: str) -> tuple[str, str] | None:
    """Message and hint of a failure that a command of ours tells by its exit status."""
    match failure.exit_status:
        case proxy.ENDPOINT_MISSING_STATUS if missing := _ENDPOINT_MISSING.search(failure.stderr):
            message = f"Failed to get endpoint for {missing['name']} on {host}, did the container boot?"
            return message, "there is no container to route to: see `kamal app containers`, then boot it anew"
        case readiness.PORT_TAKEN_STATUS if taken := _LISTENER.search(failure.stderr):
            holder = f"{taken['program']} (process {taken['pid']})" if taken["program"] else "another program"
            message = f"Port {taken['port']} of {host} is taken by {holder}, so kamal-proxy cannot start there"
            return message, "stop that program, or choose other ports with proxy/run/http_port and https_port"
        case readiness.DISK_FULL_STATUS if full := _FULL_DISK.search(failure.stderr):
            return f"The disk at {full['mount']} of {host} is full ({full['left']} KiB left)", _DISK_FULL
    return None


_ENDPOINT_MISSING = re.compile(r"Failed to get endpoint for (?P<name>.+), did the container boot\?")
_LISTENER = re.compile(r':(?P<port>\d+)\s+\S+:\*(?:\s+users:\(\("(?P<program>[^"]+)",pid=(?P<pid>\d+))?')
_FULL_DISK = re.compile(r" (?P<left>\d+) +\S+% +(?P<mount>/.*)$", re.MULTILINE)


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
    "did not complete successfully": "a step of the Dockerfile failed: the output above says why",
    'error: no builder "kamal-': "make the builder first: kamal build create",
    "existing instance for": "the builder is there already; kamal build remove removes it",
    "port is already allocated": _PORT_TAKEN,
    "address already in use": _PORT_TAKEN,
    "manifest unknown": "the image is not in the registry: build and push it (kamal build push), or check --version",
    "no space left on device": _DISK_FULL,
    "cannot connect to the docker daemon": "the Docker engine is not running: start it (systemctl start docker)",
    "permission denied while trying to connect": "the SSH user may not use Docker: where it has sudo rights, run "
    "kamal server bootstrap; else let root run `usermod -aG docker USER` there",
    "unauthorized": _CREDENTIALS,
    "no basic auth credentials": _CREDENTIALS,
    "pull access denied": f"the image is not in the registry, or {_CREDENTIALS}",
    "docker: not found": _NO_DOCKER,
    "docker: command not found": _NO_DOCKER,
    "dial tcp": _REGISTRY_SILENT,
    ": eof\n": _REGISTRY_SILENT,
    "tls handshake timeout": _REGISTRY_SILENT,
    "x509:": "the registry shows a certificate that this engine does not trust: renew it, or put its authority into "
    "/etc/docker/certs.d there",
    "permission denied": "the SSH user may not do that there: see the owner and mode of the files, or set ssh/user",
}
"""What a failed command's output (in lower case) suggests to do next; the first match counts."""


def hint_of(stdout: str, stderr: str) -> str | None:
    """What to do next, as far as the last lines of a failed command tell."""
    output = "".join(f"{line}\n" for text in (stderr, stdout) for line in text.lower().splitlines()[-HINT_LINES:])
    return next((hint for text, hint in _HINTS.items() if text in output), None)
