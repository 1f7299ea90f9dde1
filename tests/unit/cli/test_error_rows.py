"""The error rows of spec/cli.md that need no server: what is typed, what is said where, the exit code, nothing changed.

Ruby Kamal ends with 1 whatever is wrong; here it is 2 when the command line itself is not understood
(docs/differences.md). What needs servers is in tests/e2e/test_bad_input.py.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch
from tests import unreachable

pytestmark = pytest.mark.unit

CONFIG = f"""\
{unreachable.CONFIG}\
aliases:
  there: back
  back: there
  shell: app exec -i bash
"""
OPEN_QUOTE = CONFIG.replace("aliases:\n", "aliases:\n  quoted: app exec 'ls\n")
REMOTE_REGISTRY = CONFIG.replace('server: "localhost:5555"', "username: me, password: [REGISTRY_PASSWORD]")


@dataclass(frozen=True)
class Row:
    """`says` must be on the stream that the exit code stands for; `files` are put into the project before."""

    section: str
    line: str
    code: int
    says: str
    files: dict[str, str] = field(default_factory=dict)


USAGE = [
    Row("1.1", "-x", 2, 'Could not find command "-x".'),
    Row("1.1", "app --foo", 2, 'Could not find command "--foo".'),
    Row("1.2", "re", 2, "Ambiguous command re matches [redeploy, registry, remove]"),
    Row("1.2", "app sta", 2, "Ambiguous command sta matches [stale_containers, start]"),
    Row("1.2", "dpeloy", 2, 'Could not find command "dpeloy".\nDid you mean?  "deploy"\n'),
    Row("1.2", "logs", 2, 'Did you mean?  "accessory logs"\n               "app logs"\n               "proxy logs"\n'),
    Row("1.2", "console", 2, '"console" is usually an alias'),
    Row("1.2", "app foo", 2, 'Could not find command "foo".'),
    Row("1.2", "app shell", 2, 'Could not find command "shell".'),
    Row("1.2", "help foo", 2, 'Could not find command "foo".'),
    Row("1.3", "app logs --lines", 2, "No value provided for option '--lines'"),
    Row("1.3", "app logs --lines abc", 2, "Expected numeric value for '--lines'; got \"abc\""),
    Row("1.3", "lock acquire", 2, "No value provided for required options '--message'"),
    Row("1.3", "secrets fetch A", 2, "No value provided for required options '--adapter'"),
    Row("1.3", "app exec -e foo:1 foo:2 env", 2, "You can't specify 'foo' more than once in option '--env'"),
    Row("1.3", "app details -x", 2, 'ERROR: "kamal app details" was called with arguments ["-x"]\nUsage: "kamal app d'),
    Row("1.3", "app remove_container", 2, 'ERROR: "kamal app remove_container" was called with no arguments\nUsage: "'),
    Row("1.3", "config nope", 2, 'ERROR: "kamal config" was called with arguments ["nope"]'),
    Row("1.3", "tree nope", 2, 'ERROR: "kamal tree" was called with arguments ["nope"]'),
    Row("10", "quoted", 2, "Alias quoted cannot be split into words", {"config/deploy.yml": OPEN_QUOTE}),
    Row("10", "there", 2, "Alias there leads back to itself: there -> back -> there"),
    Row("15.3", "build push --output json", 2, "kamal build push has no JSON: its --output is Docker's"),
    Row("12.6", "remove --output json", 2, "kamal remove --output json cannot ask\nadd --confirmed"),
    Row("14.4", "app exec", 2, "No command provided. You must specify a command to execute."),
    Row("14.4", "app exec --detach -i ls", 2, "Detach is not compatible with interactive"),
    Row("14.4", "app exec --detach --reuse ls", 2, "Detach is not compatible with reuse"),
    Row("14.4", "app exec --detach -i --reuse ls", 2, "Detach is not compatible with interactive or reuse"),
    Row("14.4", "app exec --raw -i ls", 2, "Raw is not compatible with interactive"),
    Row("14.4", "app exec --raw -i --detach ls", 2, "interactive"),
    Row("14.4", "app exec --raw --detach ls", 2, "Raw is not compatible with detach"),
    Row("14.4", "accessory exec db --raw -i ls", 2, "Raw is not compatible with interactive"),
    Row("14.1", "server exec --raw -i ls", 2, "Raw is not compatible with interactive"),
    Row("14.7", "proxy boot_config nope", 2, "Unknown boot_config subcommand nope"),
    Row("1.3", "proxy boot_config set --publish false", 2, "--publish takes no separate value: write --publish=false"),
    Row("14.7", "proxy boot_config set --publish-host-ip nowhere", 2, "Invalid publish IP address: nowhere"),
    Row("18.2", "docs nope", 2, "No documentation found for nope"),
]
FAILED = [
    Row("1.5", "config -c nope.yml", 1, "ERROR (RuntimeError): Configuration file not found in {folder}/nope.yml"),
    Row("1.5", "deploy -d nope", 1, "Configuration file not found in {folder}/config/deploy.nope.yml"),
    Row("1.5", "shell -d nope", 1, "Configuration file not found in {folder}/config/deploy.nope.yml"),
    Row("2.2", "app details -h 9.9.9.9", 1, "ERROR (ArgumentError): No --hosts match for 9.9.9.9\n"),
    Row("2.2", "app details -h 9.9.9.9,8.*", 1, "ERROR (ArgumentError): No --hosts match for 9.9.9.9,8.*\n"),
    Row("2.2", "deploy -r nope", 1, "ERROR (ArgumentError): No --roles match for nope\n"),
    Row("2.2", "config -r nope", 1, "ERROR (ArgumentError): No --roles match for nope\n"),
    Row("2.2", "app logs -f -h nope", 1, "ERROR (ArgumentError): No --hosts match for nope\n"),
    Row("2.2", "build details -h nope", 1, "ERROR (ArgumentError): No --hosts match for nope\n"),
    Row("3.1", "config", 1, "ERROR (RuntimeError): Can't use commit hash as version, no git repository found in"),
    Row(
        "4.5",
        "config",
        1,
        "ERROR (Kamal::ConfigurationError): unknown key: servrs",
        {"config/deploy.yml": "servrs: []"},
    ),
    Row("4.5", "lock status", 1, "127.0.0.1 refuses connections on port 1"),
    Row("4.5", "app details", 1, "ERROR (Errno::ECONNREFUSED): Exceptions on 3 hosts:"),
    Row(
        "6.4", "app details", 1, "Exception while executing on host 127.0.0.3: 127.0.0.3 refuses connections on port 1"
    ),
    Row("9.4", "app details", 1, "ERROR (Kamal::Cli::HookError): Hook `pre-connect` failed:", {"hook": "exit 5"}),
    Row("9.4", "app details", 1, "exit status: 5", {"hook": "exit 5"}),
    Row(
        "9.4",
        "config",
        1,
        "Invalid hooks_output 'loud', must be one of: quiet, verbose",
        {"config/deploy.yml": f"{CONFIG}hooks_output: loud\n"},
    ),
    Row("12.3", "accessory boot x", 1, "No accessory by the name of 'x' (options: db and redis)"),
    Row("12.3", "accessory logs x", 1, "No accessory by the name of 'x' (options: db and redis)"),
    Row("12.3", "accessory exec x ls", 1, "No accessory by the name of 'x' (options: db and redis)"),
    Row("12.3", "accessory remove x -y", 1, "No accessory by the name of 'x' (options: db and redis)"),
    Row("12.5", "prune containers --retain 0", 1, "ERROR (RuntimeError): retain must be at least 1"),
    Row(
        "14.9",
        "registry login",
        1,
        "Cannot use login command with a local registry. Use `kamal registry setup` instead.",
    ),
    Row(
        "14.9",
        "registry logout",
        1,
        "Cannot use logout command with a local registry. Use `kamal registry remove` instead",
    ),
    Row("15.3", "build push", 1, "ERROR (Kamal::Commands::Builder::Base::BuilderError): Missing Dockerfile"),
    Row("16.1", "registry login -R", 1, "Secret 'REGISTRY_PASSWORD' not found", {"config/deploy.yml": REMOTE_REGISTRY}),
    Row("16.2", "secrets extract A '{}'", 1, "ERROR (RuntimeError): Could not find secret A"),
    Row("16.2", "secrets extract A x", 1, "not JSON"),
    Row("16.2", "secrets fetch -a nope A", 1, "ERROR (RuntimeError): Unknown secrets adapter: nope"),
]
"""Errors of what was understood: on standard output, as Ruby Kamal has them (cli.md 4.1)."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "project"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "deploy.yml").write_text(CONFIG)
    monkeypatch.chdir(folder)
    before = dict(os.environ)
    for name in ("VERSION", "VERBOSE", "KAMAL_LOCK", "KAMAL_DESTINATION"):
        os.environ.pop(name, None)
    yield folder
    os.environ.clear()
    os.environ.update(before)


def prepared(folder: Path, row: Row) -> None:
    for name, text in row.files.items():
        path = folder / (".kamal/hooks/pre-connect" if name == "hook" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n" if name == "hook" else text)
        if name == "hook":
            path.chmod(0o755)
    if row.section != "3.1":
        os.environ["VERSION"] = "v1"


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mode, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.process
@pytest.mark.parametrize("row", [*USAGE, *FAILED], ids=lambda row: f"{row.section} {row.line}")
def test_errors(row: Row, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Usage errors go to standard error, all others to standard output with `ERROR (CLASS)`; never a traceback."""
    prepared(project, row)
    before = files(project)
    code = dispatch(shlex.split(row.line))
    out, err = capsys.readouterr()
    told = err if row.code == 2 else out
    assert row.says.replace("{folder}", str(project)) in told, out + err
    assert code == row.code
    assert ("  ERROR (" in out) == (row.code == 1)
    assert (out if row.code == 2 else err) == ""
    assert "Traceback" not in out + err
    assert files(project) == before


@pytest.mark.parametrize("line", ["deploy", "config", "nonsense", "app exec ls"])
def test_no_configuration_at_all(line: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that is missing, and `kamal init`; what is no command stays what it is (cli.md 1.2, 1.5)."""
    (project / "config" / "deploy.yml").unlink()
    code = dispatch(line.split())
    out, err = capsys.readouterr()
    if line == "nonsense":
        assert (code, out) == (2, "")
        assert 'Could not find command "nonsense".' in err
    else:
        assert code == 1
        assert f"Configuration file not found in {project}/config/deploy.yml" in out
        assert "kamal init" in out


@pytest.mark.process
def test_docker_that_is_missing_here(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """cli.md 15.3: found before any host is asked."""
    (project / "tools").mkdir()
    for tool in ("git", "sh", "printenv", "whoami"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (project / "tools" / tool).symlink_to(found)
    (project / "Dockerfile").write_text("FROM scratch\n")
    os.environ.update(PATH=str(project / "tools"), VERSION="v1")
    assert dispatch(["build", "push"]) == 1
    out, _ = capsys.readouterr()
    assert "ERROR (Kamal::Cli::DependencyError): Docker is not installed locally" in out


@pytest.mark.parametrize("line", ["remove", "accessory remove db", "proxy reboot", "upgrade", "accessory upgrade db"])
def test_a_question_that_nobody_answers(
    line: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of input is a no: nothing is done, so the exit code is 1; how to do without the question is said."""
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert dispatch(line.split()) == 1
    out, err = capsys.readouterr()
    assert "[y, N] (N) " in out
    assert out.endswith("Aborted\nNobody answered: --confirmed (-y) does it without asking\n")
    assert err == ""
