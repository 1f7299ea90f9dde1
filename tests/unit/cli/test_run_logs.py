"""The commands that are logged beside the terminal, and the messages about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.cli.argument_parser import parse
from pykamal.cli.run_logs import recorded
from pykamal.cli.table import COMMANDS, command_row
from pykamal.cli.table.row import Effect
from pykamal.config.models import Config
from pykamal.config.models.service import Output
from pykamal.core.errors import BootError
from pykamal.events import Event, Result
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

LOGGED = {
    "accessory boot", "accessory reboot", "accessory remove", "accessory restart", "accessory start", "accessory stop",
    "app boot", "app live", "app maintenance", "app remove", "app stale_containers", "app start", "app stop",
    "deploy", "redeploy", "remove", "rollback", "setup",
    "proxy boot", "proxy reboot", "proxy remove", "proxy restart", "proxy start", "proxy stop",
    "prune all", "prune containers", "prune images", "server bootstrap",
}  # fmt: skip
UNLOGGED_GROUPS = ("build", "lock", "registry", "sandbox", "secrets")
UNLOGGED = {"accessory exec", "accessory logs", "app exec", "app logs", "audit", "config", "init", "server exec"}


def writing_to(folder: Path) -> Config:
    return replace(config(role("web", "10.0.0.1")), output=Output(file_path=str(folder)))


def test_what_is_logged() -> None:
    """Column M of the command catalogue (cli.md 12); of our own commands, `secrets rotate` changes servers."""
    logged = {command.path for command in COMMANDS if command.effect >= Effect.LOGGED and not command.ours}
    assert logged >= LOGGED
    assert not logged & UNLOGGED
    assert not [path for path in logged if path.startswith(UNLOGGED_GROUPS)]
    assert command_row("secrets rotate").effect >= Effect.LOGGED


def test_a_command_that_is_done(tmp_path: Path) -> None:
    """The file ends with the time it took, and people are told where it is (cli.md 11.1)."""
    shown: list[Event] = []
    invocation = parse(command_row("app boot"), [])
    invocation.bus.subscribe(shown.append)
    with recorded(invocation, writing_to(tmp_path / "log")):
        invocation.bus.say("Doing...")
    (log,) = (tmp_path / "log").iterdir()
    assert log.read_text().startswith("Doing...\n# Completed in ")
    assert isinstance(shown[-1], Result)
    assert shown[-1].text == f"Logs written to {log}"


def test_a_command_that_fails(tmp_path: Path) -> None:
    """Class and message are those of the final error (cli.md 11.1)."""
    with (
        pytest.raises(BootError),
        recorded(parse(command_row("deploy"), []), writing_to(tmp_path)),
    ):
        raise BootError("no health", host="10.0.0.1")
    (log,) = tmp_path.iterdir()
    told = "Exception while executing on host 10.0.0.1: no health"
    assert log.read_text().startswith(f"# FAILED: Kamal::Cli::BootError: {told} (0.")


@pytest.mark.parametrize(
    "words", [["deploy", "--plan"], ["app details"], ["app stale_containers"], ["registry login"], ["rollback"]]
)
def test_what_changes_nothing_is_not_logged(words: list[str], tmp_path: Path) -> None:
    """Plans, reading commands and those without an M (cli.md 11, 12)."""
    with recorded(parse(command_row(words[0]), words[1:]), writing_to(tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_stale_containers_are_logged_when_they_are_stopped(tmp_path: Path) -> None:
    """M with `--stop` (cli.md 12.2)."""
    with recorded(parse(command_row("app stale_containers"), ["--stop"]), writing_to(tmp_path)):
        pass
    assert len(list(tmp_path.iterdir())) == 1


def test_a_log_that_cannot_be_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told on standard error, and the command goes on (cli.md 11)."""
    (tmp_path / "log").write_text("a file")
    service = replace(config(role("web", "h")), output=Output(str(tmp_path / "log"), "collector:4318"))
    ran = False
    with recorded(parse(command_row("deploy"), []), service):
        ran = True
    assert ran
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Output logger setup failed: FileExistsError: ")
    assert second == "Output logger setup failed: ValueError: collector:4318 is no http:// or https:// address"
