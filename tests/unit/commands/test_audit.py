"""Lines of the audit log."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pykamal.commands import audit
from pykamal.commands.command import Effect
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

WEB = role("web", "10.0.0.1")
CONFIG = config(WEB)
TIME = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]"


def test_record() -> None:
    """spec/cli.md 14.0: the line and its file."""
    line = audit.record(CONFIG, "Booted app version v1", who="me@example.com")
    assert line.display_text() == (
        "mkdir -p .kamal && { test ! -O .kamal || chmod 0700 .kamal; } && "
        "printf '[%s] %s\\n' \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\" "
        '"[me@example.com] Booted app version v1" >> .kamal/app-audit.log'
    )
    assert (line.effect, line.may_fail, line.quiet) == (Effect.CHANGE, False, True)


@pytest.mark.process
def test_tags(tmp_path: Path) -> None:
    """spec/cli.md 14.0: time, performer, destination, role, in this order."""
    staging = replace(CONFIG, destination="staging")
    run(audit.record(staging, "Stopped app", who="me", role=WEB), directory=tmp_path)
    text = (tmp_path / ".kamal/app-staging-audit.log").read_text()
    assert re.fullmatch(rf"{TIME} \[me\] \[staging\] \[web\] Stopped app\n", text)


@pytest.mark.process
def test_time(tmp_path: Path) -> None:
    """spec/cli.md 14.0: the current time in UTC, wherever the server is."""
    before = datetime.now(UTC).replace(microsecond=0)
    run(audit.record(CONFIG, "Stopped app", who="me"), directory=tmp_path)
    at = (tmp_path / ".kamal/app-audit.log").read_text().split("]")[0].removeprefix("[")
    assert before <= datetime.strptime(at, "%Y-%m-%dT%H:%M:%S%z") <= datetime.now(UTC)


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_messages_stay_on_one_line(shell: str, tmp_path: Path) -> None:
    """spec/cli.md 14.0: the whole line is escaped as a shell value; it is appended."""
    for message in ("Executed cmd 'echo \"$HOME\" `x` a\\nb' on app version v1", "two\nlines"):
        run(audit.record(CONFIG, message, who="me"), directory=tmp_path, shell=shell)
    lines = (tmp_path / ".kamal/app-audit.log").read_text().splitlines()
    assert [re.sub(TIME, "", line, count=1) for line in lines] == [
        " [me] Executed cmd 'echo \"$HOME\" `x` a\\nb' on app version v1",
        " [me] two\\nlines",
    ]


def test_tail() -> None:
    """spec/cli.md 12.1: `kamal audit`."""
    line = audit.tail(CONFIG)
    assert line.display_text() == "tail -n 50 .kamal/app-audit.log"
    assert line.effect is Effect.READ
