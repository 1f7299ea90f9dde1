"""Lines of the audit log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import audit
from pykamal.commands.command import Effect
from tests.unit.commands_shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

WEB = role("web", "10.0.0.1")
CONFIG = config(WEB)
AT = "2026-11-22T00:30:57Z"


def test_record() -> None:
    """spec/cli.md 14.0: the line and its file."""
    line = audit.record(CONFIG, "Booted app version v1", who="me@example.com", at=AT)
    text = f"[{AT}] [me@example.com] Booted app version v1"
    assert str(line) == f"mkdir -p .kamal && printf '%s\\n' \"{text}\" >> .kamal/app-audit.log"
    assert (line.effect, line.may_fail, line.quiet) == (Effect.CHANGE, False, True)


def test_tags(tmp_path: Path) -> None:
    """spec/cli.md 14.0: time, performer, destination, role, in this order."""
    staging = replace(CONFIG, destination="staging")
    run(audit.record(staging, "Stopped app", who="me", at=AT, role=WEB), directory=tmp_path)
    assert (tmp_path / ".kamal/app-staging-audit.log").read_text() == f"[{AT}] [me] [staging] [web] Stopped app\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_messages_stay_on_one_line(shell: str, tmp_path: Path) -> None:
    """spec/cli.md 14.0: the whole line is escaped as a shell value; it is appended."""
    for message in ("Executed cmd 'echo \"$HOME\" `x` a\\nb' on app version v1", "two\nlines"):
        run(audit.record(CONFIG, message, who="me", at=AT), directory=tmp_path, shell=shell)
    assert (tmp_path / ".kamal/app-audit.log").read_text().splitlines() == [
        f"[{AT}] [me] Executed cmd 'echo \"$HOME\" `x` a\\nb' on app version v1",
        f"[{AT}] [me] two\\nlines",
    ]


def test_tail() -> None:
    """spec/cli.md 12.1: `kamal audit`."""
    line = audit.tail(CONFIG)
    assert str(line) == "tail -n 50 .kamal/app-audit.log"
    assert line.effect is Effect.READ
