"""The error of a failed boot: it says what to do next, derived from what the container left behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pykamal.commands import proxy, proxy_image, readiness
from pykamal.commands.subject import Action
from pykamal.core.errors import BootError, KamalError
from pykamal.operations.execution import evidence, port_holders, post_mortem
from pykamal.operations.execution.evidence import Evidence
from pykamal.operations.execution.hints import hint_of
from pykamal.transport.session import StepResult


def explain(failure: StepResult, host: str, results: Sequence[StepResult]) -> KamalError:
    """A failed step as an error with what became of the container, and the likely cause as its hint.

    `results` are those of the steps of `pykamal.operations.execution.evidence`.
    """
    error = error_of(failure, host)
    found = evidence.by_kind(results)
    container = post_mortem.read(found, failure)
    if container is not None:
        error.details = (*error.details, *container.details)
        error.hint = container.hint or error.hint
    port, subject = evidence.taken_port(failure), failure.step.subject
    if port is not None and subject is not None and subject.action in _PUBLISHING:
        holders = found.get(Evidence.PORT_HOLDERS)
        error.hint = port_holders.hint(port, subject, port_holders.holders(holders.stdout if holders else ""))
    return error


_PUBLISHING: Final = (Action.RUN, Action.START)


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
    error.hint = hint_of(failure, host)
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
            found = port_holders.holders(failure.stderr)
            holder = found[0].title if found else "another program"
            kind = "container" if found and found[0].process is None else "program"
            message = f"Port {taken['port']} of {host} is taken by {holder}, so kamal-proxy cannot start there"
            return message, f"stop that {kind}, or choose other ports with proxy/run/http_port and https_port"
        case readiness.DISK_FULL_STATUS if full := _FULL_DISK.search(failure.stderr):
            message = f"The disk at {full['mount']} of {host} is full ({full['left']} KiB left)"
            return message, "see `df -h` there; `kamal prune all` removes old containers and images"
    return None


_ENDPOINT_MISSING = re.compile(r"Failed to get endpoint for (?P<name>.+), did the container boot\?")
_IMAGE_MISSING = re.compile(r"^The image (?P<image>\S+) is not on this host", re.MULTILINE)
_LISTENER = re.compile(r":(?P<port>\d+)\s+\S+:\*")
_FULL_DISK = re.compile(r" (?P<left>\d+) +\S+% +(?P<mount>/.*)$", re.MULTILINE)
