"""Credentials of secret managers: hidden in all output from the moment they are known."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.secrets.adapters import bitwarden
from pykamal.secrets.adapters.http_addresses import login_headers
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.credentials import hidden, hide_variables, known_credentials

pytestmark = pytest.mark.unit

CONFIG = """\
service: app
image: me/app
servers: [192.0.2.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
env: {secret: [A]}
"""
SESSION = "canary-58aa-session"

BW = """\
#!/bin/sh
case "$1" in
  --version | sync) ;;
  status) [ "$BW_SESSION" ] && echo '{"status":"unlocked"}' || echo '{"status":"locked"}' ;;
  unlock) echo canary-58aa-session ;;
  *) echo "no use: $BW_SESSION $BW_PASSWORD (end)" >&2; exit 1 ;;
esac
"""


def known() -> set[str]:
    return {each.reveal() for each in known_credentials()}


def test_secret_settings_are_hidden_when_they_are_read() -> None:
    """By the variable of the adapter or by that of deploy.yml; what is not secret stays visible."""
    settings = (Setting("address", "", ("ADDR",)), Setting("auth/token", "", ("TOKEN",), secret=True))
    environment = {"ADDR": "plain-58aa-address", "TOKEN": "canary-58aa-own", "NAMED": "canary-58aa-named"}
    Settings(settings, environment=environment).get("auth/token")
    Settings(settings, environment=environment).get("address")
    Settings(settings, environment=environment, declared={"auth/token_from": "NAMED"}).get("auth/token")
    assert {"canary-58aa-own", "canary-58aa-named"} <= known()
    assert "plain-58aa-address" not in known()


def test_variables_by_name_and_by_beginning() -> None:
    """1Password's sessions have the account's name in that of their variable. Nothing empty is hidden."""
    environment = {"OP_SESSION_acme": "canary-58aa-op", "OTHER": "plain-58aa-other", "EMPTY": ""}
    hide_variables(["OP_SESSION_*", "EMPTY", "MISSING"], environment)
    assert "canary-58aa-op" in known()
    assert known().isdisjoint({"plain-58aa-other", ""})


def test_the_login_of_a_proxy_is_hidden() -> None:
    """Its password, and the header that is made of it."""
    (header,) = login_headers(urlsplit("http://me:canary-58aa-proxy@proxy:3128")).values()
    assert {"canary-58aa-proxy", header.removeprefix("Basic ")} <= known()


def test_a_credential_stays_one() -> None:
    """It is returned as a secret, and is known once however often it is met."""
    assert hidden("canary-58aa-twice").reveal() == "canary-58aa-twice"
    hidden("canary-58aa-twice")
    assert [each.reveal() for each in known_credentials()].count("canary-58aa-twice") == 1


@pytest.mark.process
@pytest.mark.parametrize("words", [["check"], ["fetch", "--adapter", "bitwarden", "--account", "me", "shop"]])
def test_a_session_that_a_login_gave_is_in_no_output(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that complains repeats the session that it was handed, and a variable of its own."""
    monkeypatch.chdir(tmp_path)
    for folder in ("config", "bin", ".kamal"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal" / "secrets").write_text("A=$(kamal secrets fetch --adapter bitwarden --account me shop)\n")
    (tmp_path / "bin" / "bw").write_text(BW)
    (tmp_path / "bin" / "bw").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("BW_PASSWORD", "canary-58aa-password")
    for name in ("BW_SESSION", "KAMAL_DESTINATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(bitwarden, "ADAPTER", bitwarden.Bitwarden())  # without the session of another test
    assert dispatch(["secrets", *words]) == 1
    printed = "".join(capsys.readouterr())
    assert "no use: " in printed, "what the program said is shown"
    assert "(end)" in printed
    assert SESSION not in printed
    assert "canary-58aa-password" not in printed
