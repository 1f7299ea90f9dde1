"""The console script as a process: start-up, exit codes, streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pykamal import KAMAL_VERSION, __version__
from pykamal.cli.table import COMMANDS, GROUPS
from pykamal.events.types import EVENT_FORMAT

pytestmark = [pytest.mark.unit, pytest.mark.process]

HEAVY = ("asyncio", "asyncssh", "yaml", "jsonschema_rs", "subprocess", "pykamal.config")
CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
ssh: {port: 1}
aliases: {shown: "config --version 1.0"}
"""


def kamal(*words: str, directory: Path, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pykamal", *words],
        cwd=directory,
        env=clean_environment(options),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def clean_environment(added: Mapping[str, str]) -> dict[str, str]:
    removed = ("VERBOSE", "VERSION", "NO_COLOR", "SSHKIT_COLOR", "KAMAL_DESTINATION", "KAMAL_LOCK")
    return {**{key: value for key, value in os.environ.items() if key not in removed}, **added}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("words", [("version",), ("--version",), ("version", "--debug"), ("vers",)])
def test_version(words: tuple[str, ...], tmp_path: Path) -> None:
    """The first word is the Kamal release that this one follows; scripts compare it (cli.md 12.1)."""
    done = kamal(*words, directory=tmp_path)
    assert done.stdout == f"{KAMAL_VERSION} (pykamal {__version__})\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["version"],
        ["--help"],
        ["tree"],
        ["dpeloy"],
        ["__complete", "bash", "kamal app st"],
        ["__complete", "zsh", "deploy", "--"],
        ["__complete", "fish", "deploy", "-h", ""],
    ],
)
def test_what_start_up_does_not_import(words: list[str], tmp_path: Path) -> None:
    """`version`, help, mistakes and completion import neither SSH nor asyncio nor YAML nor the schema (rule 6)."""
    assert imported(words, HEAVY, tmp_path) == ""


@pytest.mark.parametrize("words", [["completion", "zsh"], ["deploy", "--nope"], ["version", "--verbose"]])
def test_what_printing_does_not_import(words: list[str], tmp_path: Path) -> None:
    """A script of completion is read at each start of a shell; a mistake is answered at once (rule 6)."""
    assert imported(words, HEAVY, tmp_path) == ""


def test_ssh_is_imported_only_to_connect(project: Path) -> None:
    """A command that stays on this machine does not pay for the SSH library (design.md, rule 6)."""
    assert imported(["config", "--version", "1"], ("asyncssh",), project) == ""


DECLARED = "x-pykamal: {secrets: {providers: {t: {adapter: test, account: a}}, from: {TOKEN: 't:token'}}}\n"
ADAPTERS = tuple(f"pykamal.secrets.adapters.{name}" for name in ("http", "vault", "test"))


@pytest.mark.parametrize(
    "words",
    [["version"], ["config", "--version", "1"], ["details"], ["app", "logs"], ["app", "stop"], ["lock", "status"]],
)
def test_no_adapter_is_imported_without_a_secret_to_fetch(words: list[str], project: Path) -> None:
    """A command that needs no secret asks no manager, declared ones neither, and does not pay for one (rule 8)."""
    with (project / "config/deploy.yml").open("a") as file:
        file.write(DECLARED)
    assert imported(words, ADAPTERS, project) == ""


@pytest.mark.parametrize("words", [["secrets", "print"], ["app", "boot"], ["deploy", "--plan", "--skip-push"]])
def test_an_adapter_is_imported_for_a_secret(words: list[str], project: Path) -> None:
    """The check of the test above would see it: a command that needs secrets imports the adapter of their provider."""
    with (project / "config/deploy.yml").open("a") as file:
        file.write(DECLARED)
    assert imported(words, ADAPTERS, project) == "pykamal.secrets.adapters.test"


def imported(words: list[str], modules: tuple[str, ...], directory: Path) -> str:
    """Return those of the modules that a command line has imported by its end."""
    program = (
        f"import signal, sys; sys.argv = {['kamal', *words]}\n"
        "signal.setitimer = lambda *_: None  # completion's deadline is not the matter here\n"
        "from pykamal.cli.entry import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*[name for name in {modules} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=directory, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1]


def test_help_of_everything_needs_nothing(tmp_path: Path) -> None:
    """`--help` behind every command and group, without a configuration, exit code 0, and importing nothing heavy
    (cli.md 1.3; design.md, rule 6). One process asks for all of them.
    """
    topics = [*(row.path for row in COMMANDS), *GROUPS]
    program = (
        "import io, json, sys\n"
        "from contextlib import redirect_stdout\n"
        "from pykamal.cli.dispatch import dispatch\n"
        "told = {}\n"
        f"for topic in {topics}:\n"
        "    with redirect_stdout(io.StringIO()) as out: code = dispatch([*topic.split(), '--help'])\n"
        f"    told[topic] = [code, out.getvalue(), [name for name in {HEAVY} if name in sys.modules]]\n"
        "print(json.dumps(told))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert done.stderr == ""
    for topic in topics:
        code, text, heavy = told[topic]
        assert code == 0, topic
        assert f"kamal {topic}" in text
        assert heavy == [], topic


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("dpeloy",), 2),
        (("re",), 2),
        (("rollback", "one", "two"), 2),
        (("app", "details", "-x"), 2),
        (("audit", "--output", "xml"), 2),
        (("config", "-c", "nope.yml"), 1),
        (("lock", "status"), 1),
        (("app", "details", "-h", "9.9.9.9"), 1),
        (("config", "--version", "1"), 0),
        ((), 0),
    ],
)
def test_exit_codes(words: tuple[str, ...], code: int, project: Path) -> None:
    """0 done, 1 failed on standard output, 2 not understood on standard error (cli.md 4.1, 5)."""
    done = kamal(*words, directory=project)
    assert done.returncode == code
    assert bool(done.stderr) == (code == 2)
    assert ("  ERROR (" in done.stdout) == (code == 1)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_note_about_options_that_come_first(tmp_path: Path) -> None:
    """Help on standard output and what to write instead on standard error, exit code 0 (cli.md 1.1)."""
    done = kamal("-d", "staging", "deploy", directory=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage:\n  kamal deploy\n")
    assert done.stderr == "Options come after the command: kamal deploy -d staging\n"


@pytest.mark.parametrize(("options", "expected"), [({}, False), ({"VERBOSE": "1"}, True)])
def test_tracebacks(options: dict[str, str], expected: bool, project: Path) -> None:
    """Only with `--debug`, `-v` or VERBOSE (cli.md 4.5)."""
    done = kamal("config", "-c", "nope.yml", directory=project, **options)
    assert ("Traceback" in done.stdout) is expected
    assert "Traceback" in kamal("config", "-c", "nope.yml", "--debug", directory=project).stdout
    assert "Traceback" in kamal("config", "-c", "nope.yml", "-v", directory=project).stdout


def test_an_alias_runs(project: Path) -> None:
    """An alias of deploy.yml, with options behind it winning (cli.md 10)."""
    assert ":version: '1.0'" in kamal("shown", directory=project).stdout.replace('"', "'")
    assert ":version: '3.0'" in kamal("shown", "--version", "3.0", directory=project).stdout.replace('"', "'")


def test_an_alias_named_like_a_command_never_runs(project: Path) -> None:
    """Shells evaluate what `completion` and `sandbox env` print; no directory may replace them. It is a warning."""
    file = project / "config" / "deploy.yml"
    file.write_text(file.read_text().replace("shown:", "sandbox:"))
    assert "kamal sandbox up" in kamal("sandbox", directory=project).stdout
    warning = "the alias sandbox never runs, as there is a command of that name; rename it"
    assert warning in kamal("config", directory=project).stderr


def events(*words: str, directory: Path, code: int) -> list[dict[str, Any]]:
    done = kamal(*words, "--output", "json", directory=directory)
    assert done.returncode == code
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("line", ["docs alias", "version", 'secrets extract A {"A":1}', "completion fish", "init"])
def test_results_as_json(line: str, tmp_path: Path) -> None:
    """All output of a command is a `result` or a `message`; the last event ends the run (docs/cli.md)."""
    *told, last = events(*line.split(), directory=tmp_path, code=0)
    assert {event["event"] for event in told} <= {"result", "message"}
    assert told
    assert last["event"] == "run-finished"
    assert line.startswith(last["operation"])
    assert all(event["version"] == EVENT_FORMAT for event in (*told, last))


def test_failures_as_json(project: Path) -> None:
    """The error, what it is called for good, where, and what to do next (docs/cli.md)."""
    first, *_, last = events("lock", "status", "--version", "1.0", directory=project, code=1)
    assert (first["event"], first["operation"]) == ("run-started", "lock status")
    assert (first["service"], first["app_version"]) == ("app", "1.0")
    assert (last["event"], last["operation"]) == ("run-failed", "lock status")
    assert last["identifier"] == "host-unreachable"
    assert last["host"] == "127.0.0.1"
    assert last["hint"]


def test_json_of_a_terminal(project: Path) -> None:
    """JSON output is refused at once for a command that hands the terminal to another program."""
    for line in ("app exec -i --output json bash", "app logs -f --output json"):
        done = kamal(*line.split(), directory=project)
        assert (done.returncode, done.stdout) == (2, "")
        assert "cannot write JSON" in done.stderr


def test_output_that_nobody_reads(project: Path) -> None:
    """A closed pipe ends the command with the code of SIGPIPE and without a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pykamal", "tree"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 141
    done = subprocess.run(
        [sys.executable, "-m", "pykamal", "config", "--version", "1"],
        cwd=project,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["tree", "docs", "config --version 1.0"])
def test_output_that_goes_nowhere(words: str, unbuffered: str, project: Path) -> None:
    """A full disk behind standard output is no bug of ours, and no success."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "pykamal", *words.split()]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=project, env=environment
        )
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(closed: str, project: Path) -> None:
    """As some schedulers start commands: what cannot be shown is not, the command is done all the same."""
    line = f"{sys.executable} -m pykamal config --version 1.0 {closed}"
    assert subprocess.run(["sh", "-c", line], capture_output=True, check=False, cwd=project).returncode == 0


def test_no_colours_into_a_pipe(project: Path) -> None:
    """Ruby Kamal always colours the final error; here the text is the same and colours are for terminals."""
    plain = kamal("config", "-c", "nope.yml", directory=project).stdout
    coloured = kamal("config", "-c", "nope.yml", directory=project, SSHKIT_COLOR="1").stdout
    assert plain.startswith("  ERROR (RuntimeError): Configuration file not found in ")
    assert coloured.startswith("  \x1b[31mERROR (RuntimeError): Configuration file not found in ")


def test_the_destination_is_in_the_environment_of_what_is_run(project: Path) -> None:
    """`KAMAL_DESTINATION` is set or unset before anything is asked (cli.md 1.4)."""
    (project / ".kamal").mkdir()
    (project / ".kamal" / "secrets").write_text("D=[$KAMAL_DESTINATION]\n")
    (project / ".kamal" / "secrets.staging").write_text("D=[$(printenv KAMAL_DESTINATION)]\n")
    (project / "config" / "deploy.staging.yml").write_text("{}\n")
    assert kamal("secrets", "print", "-d", "staging", directory=project).stdout == "D=[staging]\n"
    assert kamal("secrets", "print", directory=project, KAMAL_DESTINATION="odd").stdout == "D=[]\n"


def test_secrets_extract_needs_no_configuration(tmp_path: Path) -> None:
    """It works in any directory (cli.md 1.5)."""
    assert kamal("secrets", "extract", "A", '{"x/A":"1"}', directory=tmp_path).stdout == "1\n"
