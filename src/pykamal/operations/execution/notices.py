"""What people should know of steps that succeeded: a container that did not end when it was asked to."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pykamal.commands.subject import Action
from pykamal.core.answers import json_object, mapping, number, sequence
from pykamal.transport.session import StepResult

_KILLED: Final = 137  # 128 + SIGKILL
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash"})


def notices(results: Sequence[StepResult], host: str) -> Iterator[str]:
    """A line for each container that had to be killed: how long that took, why, and how to mend it."""
    for result in results:
        subject = result.step.subject
        if subject is None or subject.action is not Action.STOP or not result.ok:
            continue
        ended = _ended(result.captured)
        if ended is not None:
            seconds, container = ended
            yield _told(f"{subject.title} on {host}", seconds, container)


def _ended(text: str) -> tuple[int, Mapping[str, Any]] | None:
    """Seconds and container from the output of `pykamal.commands.stopping`, if it was killed after a timeout."""
    waited, _, rest = text.partition(" ")
    seconds, container = number(waited), json_object(rest)
    state = mapping(container.get("state"))
    if seconds is None or state.get("ExitCode") != _KILLED or state.get("OOMKilled"):
        return None
    return seconds, container


def _told(what: str, seconds: int, container: Mapping[str, Any]) -> str:
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
