"""From a failed boot and what the container left behind to an error that says what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pykamal.commands import proxy, proxy_image, readiness
from pykamal.core.errors import BootError, KamalError
from pykamal.operations.execution import post_mortem
from pykamal.transport.session import StepResult

HINT_LINES = 10

_PORT_TAKEN = "another program on the host has the port: stop it, or set proxy/run/http_port and https_port"
_DISK_FULL = "the disk of the host is full: see `df -h` there; `kamal prune all` removes old containers and images"
_CREDENTIALS = "the registry refused the credentials: check registry/username and registry/password"
_REGISTRY_SILENT = (
    "the registry does not answer: see whether it is up and in reach from there, and what names it in deploy.yml: "
    "registry/server, for the proxy's image proxy/run/registry"
)
_EMPTY = "the registry's password is empty: see what .kamal/secrets makes of it (kamal secrets print)"
_NO_DOCKER = "Docker is not installed there: run kamal server bootstrap, or kamal setup"


def explained(failure: StepResult, host: str, evidence: Sequence[StepResult]) -> KamalError:
    """A failed step as an error with what became of the container, and the likely cause as its hint.

    `evidence` are the results that `pykamal.operations.execution.post_mortem` reads.
    """
    error = error_of(failure, host)
    container = post_mortem.read(evidence)
    if container is not None:
        error.details = (*error.details, *container.details)
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
            return message, "there is no container to route to: see `kamal app containers`, choose its version with "
            "--version, or boot it anew"
        case proxy_image.IMAGE_MISSING_STATUS if missing := _IMAGE_MISSING.search(failure.stderr):
            message = f"{host} does not have the image of pykamal's proxy, {missing['image']}"
            return message, "bring it there with `kamal proxy build`"
        case readiness.PORT_TAKEN_STATUS if taken := _LISTENER.search(failure.stderr):
            holder = f"{taken['program']} (process {taken['pid']})" if taken["program"] else "another program"
            message = f"Port {taken['port']} of {host} is taken by {holder}, so kamal-proxy cannot start there"
            return message, "stop that program, or choose other ports with proxy/run/http_port and https_port"
        case readiness.DISK_FULL_STATUS if full := _FULL_DISK.search(failure.stderr):
            return f"The disk at {full['mount']} of {host} is full ({full['left']} KiB left)", _DISK_FULL
    return None


_ENDPOINT_MISSING = re.compile(r"Failed to get endpoint for (?P<name>.+), did the container boot\?")
_IMAGE_MISSING = re.compile(r"^The image (?P<image>\S+) is not on this host", re.MULTILINE)
_LISTENER = re.compile(r':(?P<port>\d+)\s+\S+:\*(?:\s+users:\(\("(?P<program>[^"]+)",pid=(?P<pid>\d+))?')
_FULL_DISK = re.compile(r" (?P<left>\d+) +\S+% +(?P<mount>/.*)$", re.MULTILINE)


_HINTS = {
    "target failed to become healthy": "the app runs but its health check does not answer 2xx in time: check "
    "proxy/app_port and proxy/healthcheck/path, or raise deploy_timeout",
    "error: unknown flag: --": "the proxy that runs there does not know a setting of deploy.yml: "
    "`kamal proxy build` and `kamal proxy reboot` make it pykamal's newest",
    "did not complete successfully": "a step of the Dockerfile failed: the output above says why",
    'error: no builder "kamal-': "make the builder first: kamal build create",
    "existing instance for": "the builder is there already; kamal build remove removes it",
    "port is already allocated": _PORT_TAKEN,
    "address already in use": _PORT_TAKEN,
    'name "/kamal-proxy" is already in use': "there is a proxy that cannot start: kamal proxy reboot makes it anew",
    "invalid reference format": "that is no name of an image, or no tag: see image and registry/server in "
    "deploy.yml, and --version or VERSION",
    "manifest unknown": "the image is not in the registry: build and push it (kamal build push), or check --version",
    "no space left on device": _DISK_FULL,
    "cannot connect to the docker daemon": "the Docker engine is not running: start it (systemctl start docker)",
    "permission denied while trying to connect": "the SSH user may not use Docker: where it has sudo rights, run "
    "kamal server bootstrap; else let root run `usermod -aG docker USER` there",
    "unauthorized": _CREDENTIALS,
    "no basic auth credentials": "that machine is not logged in to the registry: kamal registry login; on servers "
    "`kamal build pull` logs in and brings the image",
    "cannot perform an interactive login": _EMPTY,
    "password is empty": _EMPTY,
    "pull access denied": f"the image is not in the registry, or {_CREDENTIALS}",
    "docker: not found": _NO_DOCKER,
    "docker: command not found": _NO_DOCKER,
    "no matching manifest for": "the image was not built for that processor: add it to builder/arch",
    "is missing the 'service' label": "it was not built by kamal: build it with `kamal build push`, or let its "
    "Dockerfile give it the label",
    "dial tcp": _REGISTRY_SILENT,
    ": eof\n": _REGISTRY_SILENT,
    "tls handshake timeout": _REGISTRY_SILENT,
    "x509:": "the registry shows a certificate that this engine does not trust: renew it, or put its authority into "
    "/etc/docker/certs.d there",
    "permission denied": "the SSH user may not do that there: see the owner and mode of the files, or set ssh/user",
    "no such container: kamal-proxy": "the proxy does not run there: kamal proxy boot",
    "is not running": "that container is stopped: see kamal details for what runs; kamal proxy start, app start and "
    "accessory start start what is stopped",
    "executable file not found": "the image has no such program; what only a shell understands goes as one word: "
    "sh -c '...'",
    "network kamal not found": "nothing was deployed there yet: kamal setup, or kamal proxy boot for the network",
    "-audit.log": "nothing was done there by kamal yet, or somebody removed the log: kamal setup, kamal deploy",
    "no such container": "no container of that name is there: see kamal details for what runs",
}
"""What a failed command's output (in lower case) suggests to do next; the first match counts."""


def hint_of(stdout: str, stderr: str) -> str | None:
    """What to do next, as far as the last lines of a failed command tell."""
    output = "".join(f"{line}\n" for text in (stderr, stdout) for line in text.lower().splitlines()[-HINT_LINES:])
    return next((hint for text, hint in _HINTS.items() if text in output), None)
