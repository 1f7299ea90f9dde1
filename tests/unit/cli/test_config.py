"""`kamal config` for machines: one JSON document on standard output (docs/configuration.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pykamal.cli.dispatch import dispatch
from tests.config_catalogue import changed

pytestmark = pytest.mark.unit

_FILE = changed(
    "registry: {username: u, password: hunter2}\n"
    "@ssh:\n  proxy: jump\n  log_level: :debug\n  key_data: [inline-key]\n"
    "@builder: {arch: amd64, args: {A: .nan, B: 2024-01-01}}\n"
    "@accessories: {db: {image: i, host: 5, registry: {username: u, password: hunter3}}}"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(_FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERSION", "1.4.2")
    return tmp_path


def _answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert dispatch(["config", *words, "--output", "json"]) == code
    return json.loads(capsys.readouterr().out)


def test_the_fields(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The data of the YAML document under the same names, those that it omits null, secrets redacted."""
    answer = _answer(capsys)
    assert list(answer) == [
        *("roles", "hosts", "primary_host", "version", "repository", "absolute_image", "service_with_version"),
        *("volume_args", "ssh_options", "sshkit", "builder", "accessories", "logging"),
    ]
    assert (answer["roles"], answer["hosts"], answer["version"]) == (["web"], ["1.1.1.1", 5], "1.4.2")
    assert answer["ssh_options"]["proxy"] == {"jump_proxies": "root@jump"}
    assert answer["ssh_options"]["log_level"] == "debug"
    assert answer["ssh_options"]["key_data"] == ["[REDACTED]"]
    assert answer["builder"]["args"] == {"A": "NaN", "B": "2024-01-01"}
    assert answer["accessories"]["db"]["registry"]["password"] == "[REDACTED]"


def test_the_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--resolved` is the merged document, in the order of the files, secrets redacted."""
    (folder / "config" / "deploy.x.yml").write_text("image: <%= 'other' %>\n")
    answer = _answer(capsys, "--resolved", "-d", "x")
    assert list(answer)[:3] == ["service", "image", "registry"]
    assert (answer["image"], answer["registry"]["password"]) == ("other", "[REDACTED]")


def test_a_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--explain` names value, place, default and meaning."""
    assert _answer(capsys, "--explain", "proxy.app_port") == {
        "key": "proxy/app_port",
        "known": True,
        "written": False,
        "value": 80,
        "file": None,
        "line": None,
        "column": None,
        "default": 80,
        "description": "Port that the app listens on in its container.",
    }
    answer = _answer(capsys, "--explain", "ssh/proxy")
    assert (answer["written"], answer["file"], answer["line"], answer["column"]) == (True, "config/deploy.yml", 7, 10)


@pytest.mark.parametrize("words", [(), ("--resolved",), ("--explain", "image"), ("validate",)])
def test_problems(words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration that cannot be used is answered with the same report everywhere, and exit code 1."""
    (folder / "config" / "deploy.yml").write_text(changed("volums: []"))
    answer = _answer(capsys, *words, code=1)
    (diagnostic,) = answer["diagnostics"]
    assert (answer["valid"], diagnostic["identifier"], diagnostic["severity"]) == (False, "unknown-key", "error")
    assert diagnostic["remedy"] == "did you mean volumes?"


def test_warnings_are_not_in_the_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds the document alone; warnings go to standard error."""
    (folder / "config" / "deploy.yml").write_text(changed("servers: [a, 5]"))
    assert dispatch(["config", "--output", "json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["hosts"] == ["a"]
    assert captured.err.startswith("warning: config/deploy.yml:5:14: 5 is no host name")


def test_sarif_is_for_problems_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to show in the formats of reports but diagnostics."""
    for form in ("sarif", "github", "gitlab"):
        assert dispatch(["config", "--output", form]) == 2
        assert dispatch(["config", "validate", "--output", form]) == 0


def _validated(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = dispatch(["config", "validate", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_secrets_that_no_file_defines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`validate` warns of each with its place and runs no command of the files; `--strict` makes it an error."""
    (folder / "config" / "deploy.yml").write_text(changed("env: {secret: [A, B:C]}\n"))
    (folder / ".kamal").mkdir()
    (folder / ".kamal" / "secrets").write_text("A=$(touch ran)\n")
    expected = (
        "warning: config/deploy.yml:6:19: the secret C is not defined in .kamal/secrets-common or .kamal/secrets "
        "[missing-secret]\n"
    )
    assert _validated(capsys) == (0, "config/deploy.yml is valid.\n", expected)
    assert _validated(capsys, "--strict") == (
        1,
        "config/deploy.yml has 1 warning, which --strict refuses.\n",
        expected,
    )
    (diagnostic,) = _answer(capsys, "validate", "--strict", code=1)["diagnostics"]
    assert f"config/deploy.yml:6:19: {diagnostic['message']} [{diagnostic['identifier']}]\n" in expected
    assert not (folder / "ran").exists()


def test_the_untouched_file_of_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each placeholder is a warning with its place; a file whose placeholders are replaced has none."""
    monkeypatch.chdir(tmp_path)
    assert dispatch(["init"]) == 0
    code, _, warnings = _validated(capsys, "--strict")
    assert code == 1
    values = ("my-app", "my-user/my-app", "192.168.0.1", "app.example.com")
    assert [value for value in values if f": {value} is what `kamal init` wrote; replace it" in warnings] == [*values]
    path = tmp_path / "config" / "deploy.yml"
    text = path.read_text()
    for value in reversed(values):
        text = text.replace(value, "shop")
    path.write_text(text)
    assert _validated(capsys, "--strict") == (0, "config/deploy.yml is valid.\n", "")


def test_annotations_of_a_foreign_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key of the file cannot begin a workflow command of its own in the log of GitHub Actions."""
    (folder / "config" / "deploy.yml").write_text(changed('"x\\n::stop-commands::y": 1'))
    code, out, err = _validated(capsys, "--safe", "--output", "github")
    assert (code, err) == (1, "")
    (line,) = out.splitlines()
    assert line.startswith("::error file=config/deploy.yml,line=6,col=1,title=unknown-key::unknown key: x%0A::stop")


def test_a_report_of_a_file_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error without a place fails a run in every form, and is in its document."""
    (folder / "config" / "deploy.yml").unlink()
    for form in ("json", "sarif", "github", "gitlab"):
        code, out, _ = _validated(capsys, "--output", form)
        assert (code, "file-not-found" in out) == (1, True)
