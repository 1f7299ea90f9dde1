"""The steps that read what explains a failure, and their results by what they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from pykamal.commands import evidence as commands
from pykamal.commands.command import Command
from pykamal.commands.script import Script, Step, script
from pykamal.config.models import Proxy
from pykamal.transport.session import StepResult

LOG_LINES: Final = 20


class Evidence(Enum):
    """The kinds of evidence. The values are the names of the steps, which people see with `--verbose`."""

    STATE = "container state"
    DEATHS = "how it ended"
    LISTENERS = "listening ports"
    PROCESSES = "processes"
    CHECKS = "failed checks"
    PORT_HOLDERS = "who has the port"


Found = Mapping[Evidence, StepResult]


def of_container(container: str, proxy: Proxy | None = None) -> Script:
    """Reads the state of a container and how it ended.

    For one behind the proxy it also reads why the container did not pass the proxy's check.
    """
    steps = [
        _step(Evidence.STATE, commands.state(container, lines=LOG_LINES)),
        _step(Evidence.DEATHS, commands.deaths(container)),
    ]
    if proxy is not None:
        steps += [
            _step(Evidence.LISTENERS, commands.listeners(container)),
            _step(Evidence.PROCESSES, commands.processes(container)),
            _step(Evidence.CHECKS, commands.failed_checks(container, port=proxy.app_port)),
        ]
    return script(steps)


def of_failure(failure: StepResult) -> Script:
    """Reads what the failure itself asks for: the program that has the port which a container could not get."""
    port = taken_port(failure)
    return script() if port is None else script(_step(Evidence.PORT_HOLDERS, commands.port_holders([port])))


def taken_port(failure: StepResult) -> int | None:
    """The port of the host that a container could not publish, as Docker names it."""
    found = _TAKEN_PORT.search(failure.stderr)
    return int(next(filter(None, found.groups()))) if found else None


_TAKEN_PORT: Final = re.compile(
    r":([0-9]{1,5}) failed: port is already allocated"
    r"|:([0-9]{1,5}): bind: address already in use"
    r"|failed to bind host port (?:for )?(?:\[.*?\]|[\d.]*):([0-9]{1,5})\b.*: address already in use"
)


def by_kind(results: Sequence[StepResult]) -> Found:
    """Results of `of_container` and `of_failure`."""
    kinds = {kind.value: kind for kind in Evidence}
    return {kinds[result.step.name]: result for result in results if result.step.name in kinds}


def _step(kind: Evidence, command: Command) -> Step:
    return Step(kind.value, command)
