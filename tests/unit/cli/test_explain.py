"""`kamal explain`: the catalogue at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.core.catalogue import rules
from tests.config_catalogue import changed

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is no project."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_identifier(capsys: pytest.CaptureFixture[str]) -> None:
    """Severity, title, explanation, remedy and example, as the catalogue has them; brackets may be copied along."""
    assert dispatch(["explain", "[unclosed-quote]"]) == 0
    out = capsys.readouterr().out
    rule = rules()["unclosed-quote"]
    assert out.startswith(f"unclosed-quote (error): {rule.title}\n")
    assert rule.example in out
    for text in (rule.explanation, rule.remedy):
        assert text in " ".join(out.split())


def test_several(capsys: pytest.CaptureFixture[str]) -> None:
    """The identifiers of an error's last line can be given as they stand."""
    assert dispatch(["explain", "unknown-key", "wrong-type"]) == 0
    out = capsys.readouterr().out
    assert out.index("unknown-key (error)") < out.index("wrong-type (error)")


def test_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an identifier every one is listed with its title."""
    assert dispatch(["explain"]) == 0
    out = capsys.readouterr().out
    for rule in rules().values():
        assert f"  {rule.identifier} " in out
        assert rule.title in out


def test_a_typing_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest identifier is suggested; the exit code is that of a command line that is not understood."""
    assert dispatch(["explain", "unknwon-key"]) == 2
    assert 'Did you mean?  "unknown-key"' in capsys.readouterr().err


def test_errors_name_what_explains_them(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other commands show the identifier behind each diagnostic, and how to learn more; events carry all of them."""
    (nowhere / "config").mkdir()
    (nowhere / "config" / "deploy.yml").write_text(changed("volums: []\n@deploy_timeout: x"))
    assert dispatch(["details"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  ERROR (Kamal::ConfigurationError): unknown key: volums"
    assert "config/deploy.yml:6:1: unknown key: volums [unknown-key]" in lines
    assert "config/deploy.yml:7:17: deploy_timeout: should be an integer [wrong-type]" in lines
    assert lines[-1] == "  More: kamal explain unknown-key wrong-type"
    assert dispatch(["details", "--output", "json"]) == 1
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (event["identifier"], event["identifiers"]) == ("configuration-invalid", ["unknown-key", "wrong-type"])


def test_an_error_without_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    """The message is not repeated for its identifier."""
    assert dispatch(["details"]) == 1
    out = capsys.readouterr().out
    assert out.count("Configuration file not found") == 1
    assert out.splitlines()[-1] == "  More: kamal explain file-not-found"
