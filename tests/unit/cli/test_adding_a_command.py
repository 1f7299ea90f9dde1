"""A command is one row of the table: a row that is added is everywhere (CONTRIBUTING.md, "Where things go")."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scripts.docs.cli import with_reference

from pykamal.cli import table
from pykamal.cli.aliases import expand
from pykamal.cli.command_lookup import Run, route
from pykamal.cli.completion.candidates import candidates
from pykamal.cli.dispatch import dispatch
from pykamal.cli.help import topic_text, tree_text
from pykamal.cli.invocation import Invocation
from pykamal.cli.options import CONFIRMED, PLAN, number
from pykamal.cli.prompt import NOT_CONFIRMED
from pykamal.cli.table.row import CommandRow, Conflict, Effect
from pykamal.events import Result
from pykamal.operations.context import Context

pytestmark = pytest.mark.unit

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
ssh: {port: 1}
aliases: {greet: app logs, hi: app greet there}
output: {file: {path: log}}
"""
FLOW = CommandRow(
    "app greet",
    "Greet somebody from the app",
    "operations.app.greeting:greet",
    Effect.LOGGED,
    "[WHOM]",
    (number("times", "N", "So many times", default=1), CONFIRMED, PLAN),
    question="Really?",
    connects=False,
)
LOCAL = CommandRow(
    "greet",
    "Greet without a project",
    "cli.greeting:greet",
    Effect.LOOKS,
    options=(number("times", "N", "So many times", default=1), number("pauses", "N", "With pauses")),
    conflicts=(Conflict("pauses", ("times",)),),
    needs_project=False,
    ours=True,
)


async def flow(context: Context, *, whom: str = "you", times: int) -> None:
    context.bus.emit(Result(text=f"hello {whom} of {context.config.service} " * times))


def local(invocation: Invocation) -> int:
    invocation.bus.emit(Result(text="hello" * invocation.options["times"]))
    return 7


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two rows more in the table, with a handler each, and a project."""
    monkeypatch.setattr(table, "COMMANDS", (*table.COMMANDS, FLOW, LOCAL))
    for row, function in ((FLOW, flow), (LOCAL, local)):
        module = ModuleType("greeting")
        module.__dict__["greet"] = function
        monkeypatch.setitem(sys.modules, f"pykamal.{row.handler.partition(':')[0]}", module)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERSION", "1")
    return tmp_path


def values(*words: str) -> list[str]:
    return [candidate.value for candidate in candidates(words)]


def test_it_is_found() -> None:
    """By its name, its beginning, and suggested for a typing error; at the top level an alias cannot hide it."""
    for words in (["app", "greet"], ["app", "gr"], ["app", "-v", "greet"]):
        found = route(words, lambda *_: None)
        assert isinstance(found, Run)
        assert found.row is FLOW
    assert route(["greet"], expand) == Run(LOCAL, ())
    assert route(["hi"], expand) == Run(FLOW, ("there",), alias="hi")


def test_help_completion_and_documentation_have_it() -> None:
    """Its usage, its options and its summary; its effect in the table of locks and logs."""
    assert re.search(r"kamal app greet \[WHOM\] +# Greet somebody from the app", topic_text("app"))
    assert re.search(r"--times N +# So many times \[1\]", topic_text("app greet"))
    assert "greet (Greet without a project)" in tree_text()
    assert values("app", "gre") == ["greet"]
    assert "--plan" in values("app", "greet", "--")
    assert values("gree") == ["greet"]
    marks = [
        f"<!-- {name}: {end} -->"
        for name in ("options", "events", "effects", "hooks", "commands")
        for end in ("begin", "end")
    ]
    document = with_reference("\n".join(marks))
    assert "| `greet [WHOM]` | Greet somebody from the app | `--times N`, `-y/--confirmed`, `--plan` |" in document
    assert "| a log | `app greet`, `proxy build` |" in document


def test_a_handler_of_the_command_line_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """It gets the invocation, and its number is the exit code; what its row refuses does not reach it."""
    assert dispatch(["greet", "--times", "2"]) == 7
    assert capsys.readouterr().out == "hellohello\n"
    assert dispatch(["greet", "--pauses", "1"]) == 2
    assert capsys.readouterr().err == "Pauses is not compatible with times\n"


@pytest.mark.process
def test_a_flow_runs(added: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the context, arguments and options by name, behind its question; a log is kept, but not of a plan."""
    monkeypatch.setattr("sys.stdin", io.StringIO("N\n"))
    assert dispatch(["app", "greet", "them"]) == NOT_CONFIRMED
    assert "Really? [y, N]" in capsys.readouterr().out
    assert dispatch(["app", "greet", "--plan"]) == 0
    assert not (added / "log").exists()
    assert dispatch(["app", "greet", "them", "--times=2", "-y"]) == 0
    assert "hello them of app hello them of app" in capsys.readouterr().out
    (log,) = (added / "log").iterdir()
    assert log.read_text().startswith("# Completed in ")
