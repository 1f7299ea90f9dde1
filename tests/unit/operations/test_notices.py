"""A container that had to be killed is told of, and how to mend it."""

from __future__ import annotations

import json

import pytest

from pykamal.commands.command import command
from pykamal.commands.script import Step
from pykamal.commands.subject import Action, of_app, of_role
from pykamal.operations.execution.notices import notices
from pykamal.transport.session import StepResult
from tests.unit.samples import role

pytestmark = pytest.mark.unit

STOP, START = (
    Step("stop", command("docker"), of_role(action, role("web", "h"))) for action in (Action.STOP, Action.START)
)


def told(*program: str, code: int = 137, oom: bool = False, init: bool | None = None, step: Step = STOP) -> list[str]:
    first, *arguments = program
    end = {"state": {"ExitCode": code, "OOMKilled": oom}, "program": first, "arguments": arguments, "init": init}
    return list(notices([StepResult(step, 0, f"30 {json.dumps(end)}\n", "", 30.0)], "10.0.0.1"))


def test_a_killed_container() -> None:
    """The notice names the requests that were cut off, the process, and the remedy."""
    (line,) = told("python3", "app.py")
    assert line.startswith("The old container of role web on 10.0.0.1 was killed after 30 seconds")
    assert "its first process (python3 app.py) does not end on SIGTERM" in line
    assert "STOPSIGNAL" in line
    assert "options: {init: true}" in line


def test_a_shell_in_between() -> None:
    """The usual cause: CMD as a line, which `sh -c` runs and which passes no signal on."""
    (line,) = told("/bin/sh", "-c", "python3 app.py", init=True)
    assert "write CMD as a list" in line
    assert "init: true" not in line, "it has one"


@pytest.mark.parametrize("given", [{"code": 0}, {"code": 143}, {"oom": True}, {"step": START}])
def test_what_is_not_told(given: dict[str, object]) -> None:
    """A slow but regular end, an end for lack of memory, and other steps get no notice."""
    assert told("python3", **given) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "complaint", "told"),
    [
        (1, "rm: cannot remove '.kamal/apps/app/x': Permission denied", True),
        (1, "rm: cannot remove '.kamal/apps/app': No such file or directory", False),
        (0, "a warning", False),
    ],
)
def test_what_could_not_be_removed(status: int, complaint: str, told: bool) -> None:
    """spec/cli.md 14.6 ignores how `rm` ends: what is not there is removed, what is left is not."""
    step = Step("remove app directory", command("rm"), of_app(Action.REMOVE))
    lines = list(notices([StepResult(step, status, "", f"{complaint}\n", 0.1)], "10.0.0.1"))
    assert lines == ([f"remove app directory did not work on 10.0.0.1: {complaint}"] if told else [])


@pytest.mark.parametrize("text", ["", "30", "30 nonsense", "x {}", "30 {}"])
def test_what_cannot_be_read_is_not_told(text: str) -> None:
    """An engine of another make may print something else."""
    assert list(notices([StepResult(STOP, 0, text, "", 30.0)], "h")) == []
