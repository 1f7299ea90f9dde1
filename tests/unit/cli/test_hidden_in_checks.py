"""Credentials and values that a program repeats are hidden in reports of checks, for machines as for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch

pytestmark = [pytest.mark.unit, pytest.mark.process]

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
env: {secret: [A, B]}
x-pykamal:
  secrets:
    providers:
      talks: {adapter: age, from: secrets.age, format: json%s}
      holds: {adapter: env}
    from: {A: "talks:A", B: "holds:HELD"}
"""
TALKS = '#!/bin/sh\n[ "$1" = --version ] || echo "no use: $AGE_KEY $OTHER $HELD (end)" >&2\n[ "$1" = --version ]\n'


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
@pytest.mark.parametrize(("variable", "setting"), [("AGE_KEY", ""), ("OTHER", ", key_from: OTHER")])
def test_nothing_of_a_credential_is_shown(
    variable: str,
    setting: str,
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A credential is hidden whether deploy.yml or the adapter names its variable, and so is another secret's value."""
    monkeypatch.chdir(tmp_path)
    for folder in ("config", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG % setting)
    (tmp_path / "secrets.age").write_bytes(b"age-encryption.org/v1\n-> X25519 x\n")
    (tmp_path / "bin" / "age").write_text(TALKS)
    (tmp_path / "bin" / "age").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for name in ("AGE_KEY", "AGE_KEY_FILE", "OTHER", "KAMAL_DESTINATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "canary-41d0-credential")
    monkeypatch.setenv("HELD", "canary-41d0-value")
    assert dispatch(["secrets", "check", "--output", form]) == 1
    printed = "".join(capsys.readouterr())
    assert "no use: " in printed, "what the program said is shown"
    assert "(end)" in printed
    assert "canary-41d0" not in printed
