"""Output of hosts, containers, hooks and files brings no commands to a terminal and no secrets to a log."""

from __future__ import annotations

import ast
import base64
import dataclasses
import importlib
import io
import json
import os
import pkgutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import pykamal
from pykamal.cli.completion.answer import SHELLS, answer
from pykamal.core.printable import is_printable
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, CommandOutput, Event, HostResult, RunFailed
from pykamal.events.json_lines import JsonLines
from pykamal.events.lines import Lines
from pykamal.events.log_file import LogFile
from pykamal.events.otel import OtelLog
from pykamal.events.sanitizing import _NAMES, Sanitizer

pytestmark = pytest.mark.hostile

SOURCE = Path(pykamal.__file__).parent
SECRET = "s3cr3t/of+ours"
TERMINAL = "\x1b]52;c;c3RvbGVu\x07\x1b[2J\x9b31m\u202etxt.exe\u2028\x7f\rINFO\x1b[1;32m all is well\x1b[0m"


# -- every event, in every form in which it is shown


def event_types() -> list[type[Event]]:
    """List every event type of the program."""
    for module in pkgutil.walk_packages(pykamal.__path__, "pykamal."):
        if module.name.startswith(("pykamal.events", "pykamal.operations")):
            importlib.import_module(module.name)
    found = [Event]
    for each in found:
        found += each.__subclasses__()
    # A class with slots is made twice, and the first one stays known for a while.
    return [each for each in found[1:] if getattr(sys.modules[each.__module__], each.__name__, None) is each]


def filled(event_type: type[Event], text: str) -> Event:
    """An event with the text wherever one can be."""
    hints = typing.get_type_hints(event_type)
    fields = {field.name: _value(hints[field.name], text) for field in dataclasses.fields(event_type)}
    return event_type(**{**fields, "at": 0.0} | ({"raw": False} if "raw" in fields else {}))


def _value(hint: Any, text: str) -> Any:
    if hint is str or hint == str | None:
        return text
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return ({"text": [text]},) if typing.get_origin(inner) is dict else (text, text)
    for kind in (bool, int, float):
        if hint is kind:
            return kind(True)
    return next(iter(hint))


def shown_forms(event: Event, bus: Bus, folder: Path) -> dict[str, str]:
    """Return an event as every kind of renderer shows it."""
    text, shapes = io.StringIO(), io.StringIO()
    sent: list[str] = []
    otel = OtelLog("http://127.0.0.1:9", command="deploy", tool_version="0", report=sent.append)
    otel._shipper.put = lambda record: sent.append(json.dumps(record, ensure_ascii=False))  # type: ignore[method-assign]
    log = LogFile(str(folder), command="deploy", destination=None, report=sent.append)
    for subscriber in (Lines(text, verbosity="verbose"), JsonLines(shapes), log, otel):
        bus.subscribe(subscriber)
    bus.emit(event)
    if isinstance(event, CommandOutput):
        bus.emit(RunFailed(operation="deploy", identifier="x", label="E", message="the end"))
    log.close(bus.sanitized(event) if isinstance(event, RunFailed) else None, 1.0)
    otel.close(bus.sanitized(event) if isinstance(event, RunFailed) else None, 1.0)
    return {
        "terminal": text.getvalue(),
        "JSON": shapes.getvalue(),
        "log file": log.path.read_text(),
        "collector": "".join(sent),
    }


@pytest.mark.parametrize("event_type", event_types(), ids=lambda each: each.__name__)
def test_no_event_reaches_a_terminal_as_commands(event_type: type[Event], tmp_path: Path) -> None:
    """Every field of every event, in lines, JSON, the log file and what a collector gets."""
    for form, text in shown_forms(filled(event_type, TERMINAL), Bus(), tmp_path).items():
        assert is_printable(text), f"{form}: {text!r}"


@pytest.mark.parametrize("event_type", event_types(), ids=lambda each: each.__name__)
def test_no_event_tells_a_secret(event_type: type[Event], tmp_path: Path) -> None:
    """Every field but names of the configuration, and answers of the user's own commands."""
    bus = Bus()
    bus.hide(lambda: [Sensitive(SECRET)])
    event = filled(event_type, f"a {SECRET} b")
    names: dict[str, Any] = {field.name: "name" for field in dataclasses.fields(event) if field.name in _NAMES}
    event = dataclasses.replace(event, **names, **({"verbatim": False} if hasattr(event, "verbatim") else {}))
    for form, text in shown_forms(event, bus, tmp_path).items():
        assert SECRET not in text.replace("\\/", "/"), f"{form}: {text!r}"


def test_both_would_notice_a_hole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the sanitizer each of these events gets through."""
    monkeypatch.setattr(Sanitizer, "events", lambda _self, event: iter([event]))
    bus = Bus()
    bus.hide(lambda: [Sensitive(SECRET)])
    forms = shown_forms(CommandOutput(id="a", host="h", stream=_stream(), text=f"{TERMINAL} {SECRET}"), bus, tmp_path)
    assert all(SECRET in text for text in forms.values())
    assert not is_printable(forms["terminal"])
    assert not is_printable(forms["log file"])


def _stream() -> Any:
    return next(iter(typing.get_type_hints(CommandOutput)["stream"]))


# -- what is written without an event

STREAMS = {
    "cli/completion/answer.py": "prints filtered candidates",
    "cli/renderers.py": "hands standard output to the renderer",
    "cli/entry.py": "prints versions and filtered completions, opens closed streams",
    "cli/prompt.py": "asks filtered questions",
    "cli/run_logs.py": "looks whether there is a terminal",
    "cli/exec_ssh.py": "hands the terminal to ssh, or copies filtered logs",
    "cli/handlers/sandbox.py": "flushes",
    "cli/handlers/secrets.py": "looks whether there is a terminal",
    "core/printable.py": "is the filter",
    "secrets/adapters/keyring_process.py": "answers the process that started it, by a pipe",
}
"""The modules that name a standard stream, and why. Everything else prints by `core/printable.py` or by events."""

PROGRAMS = {"proxy", "sandbox"}
"""Programs of their own: one runs in a container, the other makes throwaway servers."""


def stream_users(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder)
        if name.parts[0] not in PROGRAMS and any(map(_writes, ast.walk(ast.parse(path.read_text())))):
            yield name.as_posix()


def _writes(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name("sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"):
            return True
        case ast.ImportFrom(module="sys", names=names):
            return any(name.name in ("stdout", "stderr") for name in names)
        case ast.Call(func=ast.Name("print")) | ast.Call(func=ast.Attribute(value=ast.Name("os"), attr="write")):
            return True
    return False


def test_nothing_is_written_past_the_filter(tmp_path: Path) -> None:
    """Standard streams are named in these modules only; a planted `print` would be found."""
    assert list(stream_users(SOURCE)) == sorted(STREAMS)
    for number, line in enumerate(("print(1)", "import sys; sys.stderr.write('')", "from sys import stdout")):
        (tmp_path / f"hole{number}.py").write_text(line)
    assert len(list(stream_users(tmp_path))) == 3


# -- real processes

BASIC_AUTH = base64.b64encode(f"a:{SECRET}".encode()).decode()
HOOK = f"""\
#!/bin/sh
printf '\\033]0;owned\\007\\033[2Jgreen:\\033[32mINFO\\033[0m\\302\\2332J\\233x\\342\\200\\256\\n'
printf 'half {SECRET[:6]}'; sleep 0.3; printf '{SECRET[6:]} end\\n'
printf 'encoded %s\\n' {BASIC_AUTH}
printf 'url {quote(SECRET, safe="").replace("%", "%%")}\\n'
printf 'short %s' {SECRET[:3]}
exit 3
"""
CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555", username: me, password: literally-secret}
builder: {arch: amd64}
ssh: {port: 1}
output: {file: {path: log}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal" / "hooks").mkdir(parents=True)
    (tmp_path / ".kamal" / "secrets").write_text(f"KEY='{SECRET}'\n")
    hook = tmp_path / ".kamal" / "hooks" / "pre-connect"
    hook.write_bytes(HOOK.encode())
    hook.chmod(0o755)
    return tmp_path


def kamal(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    removed = ("VERBOSE", "KAMAL_LOCK", "SSHKIT_COLOR")
    kept = {key: value for key, value in os.environ.items() if key not in removed}
    environment = {**kept, "VERSION": "1", **variables}
    line = [sys.executable, "-m", "pykamal", *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_hook_that_prints_what_it_likes(form: str, project: Path) -> None:
    """It arrives in pieces and is quoted in the error: shown, logged and sent without commands and secrets."""
    done = kamal("app", "start", "-v", "--output", form, folder=project)
    assert done.returncode == 1
    (log,) = (project / "log").iterdir()
    for text in (done.stdout.decode(), done.stderr.decode(), log.read_text()):
        assert is_printable(text)
        for form_of_it in (SECRET, SECRET[6:], quote(SECRET, safe=""), BASIC_AUTH[4:-4]):
            assert form_of_it not in text
    said = done.stdout.decode().replace("\\\\", "\\")
    assert "\\x1b]0;owned\\x07\\x1b[2Jgreen:INFO\\x9b2J" in said
    for line in ("half [REDACTED] end", "encoded ", "url [REDACTED]", f"short {SECRET[:3]}"):
        assert line in said


def test_an_output_that_knows_fewer_characters(project: Path) -> None:
    """Characters that a locale cannot write are written as escapes."""
    (project / ".kamal" / "hooks" / "pre-connect").write_text("#!/bin/sh\necho '漢…'; exit 3\n")
    done = kamal("lock", "status", folder=project, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert b"\\u6f22\\u2026" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_of_what_a_repository_says(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subjects of commits and names of accessories: descriptions are filtered, words with controls are left out."""
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@example.com"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(
        CONFIG + 'accessories:\n  db: {image: "x\\e[2J", host: a}\n  "d\\e[2Jx": {image: x, host: a}\n'
    )
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", f"Fix{TERMINAL}"], check=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def asked(*words: str) -> str:
        line = " ".join(["kamal", *words])
        return "".join(answer(["bash", line, words[-1]] if shell == "bash" else [shell, *words]))

    versions, accessories = asked("rollback", ""), asked("accessory", "boot", "")
    assert versions
    assert "db" in accessories
    assert is_printable(versions + accessories)
    if shell != "bash":
        assert "Fix\\x1b]52" in versions


def test_results_of_commands_are_filtered_too() -> None:
    """Containers print the answers to `app logs` and `app exec`; `--raw` alone gives what they print."""
    stream = io.StringIO()
    bus = Bus(Lines(stream))
    bus.emit(HostResult(host="h", text=TERMINAL, verbatim=True))
    assert is_printable(stream.getvalue())
    bus.emit(HostResult(host="h", text=TERMINAL, raw=True))
    assert TERMINAL in stream.getvalue()
