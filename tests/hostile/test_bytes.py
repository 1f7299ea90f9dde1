"""NUL bytes, which no process can be given, and bytes that are no UTF-8, which it can: in secrets, files, variables."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pykamal.commands import env_file
from pykamal.commands.command import command
from pykamal.core.sensitive import Sensitive, encoded
from pykamal.events import Bus
from pykamal.secrets.store import Secrets
from pykamal.transport.local import LocalSession

pytestmark = pytest.mark.hostile

BYTES = b"\xff\xfe\x9b caf\xe9"
CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
ssh: {port: 1}
"""
CARRIES = "which no environment variable and no command can carry"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal" / "hooks").mkdir(parents=True)
    return tmp_path


def kamal(*words: str | bytes, folder: Path, **variables: bytes) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-m", "pykamal", *words]
    environment = {**{key: value for key, value in os.environb.items() if key != b"VERBOSE"}, b"VERSION": b"1"}
    environment |= {key.encode(): value for key, value in variables.items()}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, check=False)


YAML = "config/deploy.yml"
REFUSED_LINE = "a shell line with these arguments is not supported"
NUL = {
    "a secret": (".kamal/secrets", "A=x\nKEY=a\0b\n", f".kamal/secrets:2:1: KEY holds a NUL byte, {CARRIES}"),
    "a secret's command": (".kamal/secrets", "KEY=$(printf 'a\\\\0b')\n", ".kamal/secrets:1:1: KEY holds a NUL byte"),
    "a dotenv file": (".env", 'X="a\0b"\n', f".env:1:1: X holds a NUL byte, {CARRIES}"),
    "a value": (YAML, CONFIG + 'env: {clear: {A: "a\\0b"}}\n', f"{YAML}:7:18: a NUL byte"),
    "a key": (YAML, CONFIG + 'labels: {"a\\0": b}\n', f"{YAML}:7:10: a NUL byte"),
    "back-ticks": (
        YAML,
        CONFIG + "labels: {a: <%= `echo a\\0` %>}\n",
        REFUSED_LINE,
    ),
    "a variable": (
        YAML,
        CONFIG + 'x-a: <%= ENV["B"] = "a\\0"; `true` %>\n',
        REFUSED_LINE,
    ),
}


@pytest.mark.parametrize("name", NUL)
def test_nul_bytes_are_refused(name: str, project: Path) -> None:
    """With the place and the name of what holds one, before anything is done with it; it is no bug of ours."""
    file, content, said = NUL[name]
    if file == ".env":
        (project / YAML).write_text(f'<% require "dotenv"; Dotenv.load %>\n{CONFIG}')
    (project / file).write_text(content)
    done = kamal(*(("secrets", "print") if "secrets" in file else ("config",)), folder=project)
    assert done.returncode == 1
    assert said in done.stdout.decode()


def test_a_variable_that_is_no_text(project: Path) -> None:
    """A template that puts it into the file gets Psych's error, with the place."""
    (project / "config" / "deploy.yml").write_text(CONFIG + "labels: {a: '<%= ENV[\"X\"] %>'}\n")
    done = kamal("config", "validate", folder=project, X=BYTES)
    assert done.returncode == 1
    assert b"config/deploy.yml:7:" in done.stdout
    assert b"invalid leading UTF-8 octet" in done.stdout


def test_secrets_of_any_bytes_arrive_as_they_are(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a hook's environment, in what a shell reads, in an env file, and where a program asks for the secret."""
    (project / "bytes").write_bytes(BYTES)
    (project / ".kamal" / "secrets").write_text("KEY=$(cat bytes)\n")
    monkeypatch.chdir(project)
    secret = Secrets()["KEY"]
    assert encoded(secret.reveal()) == BYTES
    assert encoded(env_file.encode([("KEY", secret)]).reveal()) == b"KEY=" + BYTES + b"\n"
    local = LocalSession(Bus())

    async def run() -> None:
        await local.run(command("sh", "-c", 'printf %s "$KEY" > variable'), environment={"KEY": secret})
        await local.run(command("tee", "input").fed(secret))
        await local.run(command("printf", "%s", secret).to_file("word"))

    asyncio.run(run())
    assert [(project / name).read_bytes() for name in ("variable", "input", "word")] == [BYTES] * 3
    assert kamal("secrets", "print", folder=project).stdout == b"KEY=" + BYTES + b"\n"


def test_a_command_line_of_any_bytes(project: Path) -> None:
    """Typed words are handed on as bytes and shown as escapes."""
    done = kamal("server", "exec", b"echo " + BYTES, folder=project)
    assert done.returncode == 1
    assert b"refuses connections" in done.stdout
    assert b"echo \\xff\\xfe\\x9b caf\\xe9" in done.stdout


def test_a_secret_is_not_hidden_by_its_bytes(project: Path) -> None:
    """It is masked in what a hook prints, where such bytes are replaced."""
    (project / "bytes").write_bytes(b"sesame-" + BYTES)
    (project / ".kamal" / "secrets").write_text("KEY=$(cat bytes)\n")
    hook = project / ".kamal" / "hooks" / "pre-deploy"
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    known = Sensitive((b"sesame-" + BYTES).decode("utf-8", "surrogateescape"))
    bus = Bus()
    bus.hide(lambda: [known])
    assert "sesame" not in bus.sanitized_text(f"it is {(b'sesame-' + BYTES).decode('utf-8', 'replace')}")
