"""Finds the next step after a failure: rules by what the step was about and what its command said.

A rule counts only for steps that can produce what it is about. What a command of the user prints is no evidence of what
the engine did: of such steps only the words of Docker itself are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pykamal.commands.subject import Action, Kind, Subject
from pykamal.operations.execution.hint_rules import RULES
from pykamal.transport.session import StepResult

HINT_LINES: Final = 10


def hint_of(result: StepResult, host: str | None) -> str | None:
    """Advice on the next step, from the step and the last lines of its output. `host` is None on this machine."""
    subject = result.step.subject or UNKNOWN
    output = "\n".join(_output_of(subject, result))
    place, user = ("on this machine", "your user") if host is None else ("there", "the SSH user")
    for rule in RULES:
        if rule.actions and subject.action not in rule.actions:
            continue
        hint = rule.hint if isinstance(rule.hint, str) else rule.hint.get(subject.kind)
        if hint is not None and re.search(rule.pattern, output, re.MULTILINE):
            return hint.format(title=subject.title, setting=subject.setting, place=place, user=user)
    return None


UNKNOWN: Final = Subject(Action.LOOK, Kind.HOST)
"""The subject of steps that have none: they ask the engine or write files on the host."""


def _output_of(subject: Subject, result: StepResult) -> Iterator[str]:
    lines = [line for text in (result.stderr, result.stdout) for line in text.lower().splitlines()[-HINT_LINES:]]
    if subject.action is not Action.EXECUTE:
        yield from lines
    elif subject.kind is Kind.HOST:
        yield from (f"exit status {result.exit_status}",)
    elif result.exit_status in _DOCKER_STATUSES:
        yield from (line for line in lines if _DOCKER_SAYS.match(line))


_DOCKER_STATUSES: Final = (1, 125, 126, 127)
_DOCKER_SAYS: Final = re.compile(
    r"docker: |error: no such container|error response from daemon|oci runtime exec failed|\[fatal tini"
)
