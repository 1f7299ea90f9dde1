"""Warns of what ends no run: a container that was killed, something that could not be removed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pykamal.commands.subject import Action, Subject
from pykamal.core.answers import json_object, mapping, number, sequence
from pykamal.transport.session import StepResult

_KILLED: Final = 137  # 128 + SIGKILL
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash"})


def notices(results: Sequence[StepResult], host: str) -> Iterator[str]:
    """A line for each: what was left or lost where, why, and how to mend it."""
    for result in results:
        match result.step.subject:
            case Subject(Action.STOP) as subject if result.ok and (ended := _ended(result.captured)):
                yield _killed(f"{subject.title} on {host}", *ended)
            case Subject(Action.REMOVE) if not result.ok and (why := _left(result.stderr)):
                yield f"{result.step.name} did not work on {host}: {why}"


def _left(text: str) -> str | None:
    """The first complaint, but for what was not there."""
    return next((line for line in text.splitlines() if line.strip() and "No such file" not in line), None)


def _ended(text: str) -> tuple[int, Mapping[str, Any]] | None:
    """Seconds and container from the output of `pykamal.commands.stopping`, if it was killed after a timeout."""
    waited, _, rest = text.partition(" ")
    seconds, container = number(waited), json_object(rest)
    state = mapping(container.get("state"))
    if seconds is None or state.get("ExitCode") != _KILLED or state.get("OOMKilled"):
        return None
    return seconds, container


def _killed(what: str, seconds: int, container: Mapping[str, Any]) -> str:
    program = str(container.get("program"))
    arguments = list(map(str, sequence(container.get("arguments"))))
    line = " ".join((program, *arguments))
    text = f"The old container of {what} was killed after {seconds} seconds, with all that it was doing: "
    text += f"its first process ({line}) does not end on SIGTERM. "
    mended = "Let it handle SIGTERM, or name the signal that it ends on with STOPSIGNAL in the Dockerfile"
    if posixpath.basename(program) in _SHELLS and arguments[:1] == ["-c"]:
        mended = 'That shell passes no signal on: write CMD as a list, as in ["python3", "app.py"], or `exec` before it'
    if not container.get("init"):
        mended += "; or have an init pass signals on, with `options: {init: true}`"
    return text + mended
