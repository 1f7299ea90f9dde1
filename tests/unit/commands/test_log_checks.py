"""Logs that cannot be read as asked: a pipe hides how its first programs end, so they are tried before."""

from __future__ import annotations

import pytest

from pykamal.commands import app
from pykamal.commands.command import Command, Effect
from pykamal.commands.logs import LogSelection, container_checks
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

CONFIG = config(role("web", "10.0.0.1"))
(WEB,) = CONFIG.roles


def of_app(selection: LogSelection, container_id: str | None = None) -> dict[str, Command]:
    return dict(app.log_checks(CONFIG, WEB, selection, container_id))


def test_what_is_tried() -> None:
    """Nothing where nothing is narrowed down; the time is read by the engine, of no line at all."""
    assert of_app(LogSelection(lines=5)) == {}
    assert container_checks("app-db", LogSelection()) == []
    line = of_app(LogSelection(since="5m"), "abc")["read log"]
    assert line.display_text() == "sh -c 'echo abc' | xargs -r docker logs --tail 0 --since 5m > /dev/null"
    ((name, line),) = container_checks("app-db", LogSelection(since="5m"))
    assert (name, line.display_text()) == ("read log", "docker logs --tail 0 --since 5m app-db > /dev/null")
    assert line.effect is Effect.READ


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("grep", "options", "good"),
    [
        ("GET", None, True),
        ("-v", None, True),
        ("GET", "-i -C 2", True),
        ("[", None, False),
        ("GET", "--no-such-option", False),
        ("a\\(", None, False),
        ("a(", "-E", False),
    ],
)
def test_patterns(shell: str, grep: str, options: str | None, good: bool) -> None:
    """A pattern without a match is no error; one that grep does not take is."""
    check = of_app(LogSelection(grep=grep, grep_options=options))["check --grep"]
    assert (run(check, shell=shell).returncode == 0) is good


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_a_time_that_the_engine_does_not_take(shell: str) -> None:
    """A failing read is a failure; without a container there is nothing to read, and nothing wrong with it."""
    engine = 'docker() { [ "$1" = logs ] && return 1; }; xargs() { shift; ids=$(cat); [ -z "$ids" ] || "$@" "$ids"; };'
    selection = LogSelection(since="nonsense")
    assert run(f"{engine} {of_app(selection, 'abc')['read log'].shell_text()}", shell=shell).returncode == 1
    assert run(f"{engine} {of_app(selection)['read log'].shell_text()}", shell=shell).returncode == 0
