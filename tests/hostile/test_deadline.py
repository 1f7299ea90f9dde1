"""TAB is answered in 0.3 seconds whatever the repository is: what is known by then is shown, nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pykamal.cli.entry import DEADLINE_SECONDS
from tests.hostile.repository import HARMLESS
from tests.hostile.shells import KAMAL, SHELLS, Terminal, environment

pytestmark = pytest.mark.hostile

NEVER_SECONDS = 20.0
"""So long what waits would wait at least."""

ATTEMPTS = 10
"""One is enough, unless other tests take the machine's time."""


def template(code: str) -> Callable[[Path], None]:
    return lambda folder: write(folder, f"{code}\n{HARMLESS}")


def write(folder: Path, text: str) -> None:
    (folder / "config" / "deploy.yml").write_text(text)


def pipe_as_configuration(folder: Path) -> None:
    (folder / "config" / "deploy.yml").unlink()
    os.mkfifo(folder / "config" / "deploy.yml")


def device_as_configuration(folder: Path) -> None:
    (folder / "config" / "deploy.yml").unlink()
    (folder / "config" / "deploy.yml").symlink_to("/dev/zero")


def pipe_for_template(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    write(folder, f"<%= File.read('pipe') %>\n{HARMLESS}")


def slow_git(folder: Path) -> None:
    program = folder / "programs" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ > {folder}/git-process\nexec sleep {NEVER_SECONDS}\n")
    program.chmod(0o755)


HAZARDS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "a pipe as configuration": (pipe_as_configuration, ("",)),
    "an endless device as configuration": (device_as_configuration, ("",)),
    "a pipe that a template reads": (pipe_for_template, ("",)),
    "an endless device that a template reads": (template("<%= File.read('/dev/zero') %>"), ("",)),
    "a regular expression": (template(f"<% ('a' * 40) =~ /^({'a?' * 40}){'a' * 40}b$/ %>"), ("",)),
    "ranges in ranges": (template("<% (1..10**9).each { |a| (1..10**9).each { |b| } } %>"), ("",)),
    "a long string": (template("<% x = ('a' * 10**6) * 10**6 %>"), ("",)),
    "a large file": (lambda folder: write(folder, HARMLESS + "x:\n" + "- {a: 1}\n" * 24000), ("",)),
    "a slow Git": (slow_git, ("rollback", "")),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    write(tmp_path, HARMLESS)
    return tmp_path


def ask(project: Path, *words: str, seconds: str = "") -> tuple[float, str]:
    """Return the seconds until an answer, and the answer."""
    environ = {**environment(project, path=str(project / "programs")), "KAMAL_COMPLETION_SECONDS": seconds}
    started = time.monotonic()
    done = subprocess.run(
        [KAMAL, *words], cwd=project, env=environ, capture_output=True, text=True, timeout=NEVER_SECONDS, check=False
    )
    assert done.stderr == ""
    return time.monotonic() - started, done.stdout


@pytest.mark.parametrize("hazard", HAZARDS)
def test_a_deadline(hazard: str, project: Path) -> None:
    """It is kept, whatever the process is in the middle of; commands are told before the project is asked."""
    prepare, words = HAZARDS[hazard]
    prepare(project)
    start = min(ask(project, "version")[0] for _ in range(3))
    for _ in range(ATTEMPTS):
        took, text = ask(project, "__complete", "fish", *words)
        if took < start + 2 * DEADLINE_SECONDS and ("deploy\t" in text or words != ("",)):
            return
    pytest.fail(f"{took} seconds, where starting takes {start}: {text}")


def test_the_deadline_is_what_ends_it(project: Path) -> None:
    """The check finds it: where the deadline is late, the same request takes that long."""
    slow_git(project)
    assert ask(project, "__complete", "fish", "rollback", "", seconds="1.5")[0] > 1.5
    assert DEADLINE_SECONDS < 0.3


def test_git_does_not_outlive_the_answer(project: Path) -> None:
    """Its own deadline ends it, since the process that started it is gone."""
    slow_git(project)
    ask(project, "__complete", "fish", "rollback", "", seconds="2")
    process = Path("/proc", (project / "git-process").read_text().strip())
    deadline = time.monotonic() + NEVER_SECONDS / 2
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process.exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_says_nothing_about_it(shell: str, project: Path) -> None:
    """The line is as it was, and no message about a signal stands in it."""
    environ = {**environment(project, path=str(project / "programs")), "KAMAL_COMPLETION_SECONDS": "0.3"}
    terminal = Terminal(shell, project, environ=environ)
    slow_git(project)  # now only, as the first prompt of fish asks Git too
    assert terminal.line("kamal rollback ").rstrip() == "kamal rollback"
    said = terminal.seen.lower()
    terminal.close()
    assert not [word for word in ("alarm", "timer", "signal", "terminated", "killed") if word in said]
