"""`kamal config --safe`: files of others are read without running anything of them, and the environment is hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pykamal.cli.dispatch import dispatch

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
CONFIG = """\
service: app
image: me/<%= ENV["IMAGE"] || "app" %>
servers: [10.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
env: {secret: [A, B]}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRE_COMMIT", raising=False)
    monkeypatch.setenv("IMAGE", "from-here")
    (tmp_path / "config").mkdir()
    (tmp_path / ".kamal").mkdir()
    (tmp_path / ".kamal" / "secrets").write_text("A=$(touch ran)\n")
    write(CONFIG)
    return tmp_path


def write(text: str, name: str = "deploy.yml") -> None:
    Path("config", name).write_text(text)


def ran() -> bool:
    return Path("ran").exists()


@pytest.mark.process
def test_a_command_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The expression is named with its place and what to do; what was not examined has not passed: exit code 1."""
    write(CONFIG.replace("10.0.0.1", "<%= `touch ran` %>"))
    assert dispatch(["config", "validate", "--safe"]) == 1
    said = capsys.readouterr().out
    assert "config/deploy.yml:3:15: `touch ran` is not run here" in said
    assert "Where the file is trusted, leave out --safe." in said
    assert not ran()
    dispatch(["config", "validate"])
    assert ran(), "the check finds it"


PROVIDER = "x-pykamal: {secrets: {providers: {desk: {adapter: planted}}, from: {A: desk:A, B: desk:B}}}\n"


def test_an_adapter_of_another_package_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """deploy.yml names it, and would run it so; what was not examined has not passed: exit code 1."""
    installed = tmp_path / "installed"
    metadata = installed / "planted_adapter-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: planted-adapter\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pykamal.secrets]\nplanted = planted_adapter:planted\n")
    (installed / "planted_adapter.py").write_text(
        "import pathlib\npathlib.Path('ran').touch()\n\n"
        "class planted:\n    needs_account = False\n    fetch = staticmethod(lambda: {})\n"
    )
    monkeypatch.syspath_prepend(str(installed))
    Path(".kamal/secrets").unlink()
    write(CONFIG + PROVIDER)
    for line in ("config validate --safe", "config validate --safe --output json", "config --safe"):
        dispatch(line.split())
        assert not ran(), line
    capsys.readouterr()
    assert dispatch(["config", "validate", "--safe"]) == 1
    said = capsys.readouterr().out
    assert "planted is no adapter of pykamal itself, and those of others are not imported here" in said
    assert "Where the file is trusted, leave out --safe." in said
    dispatch(["config", "validate"])
    assert ran(), "the check finds it"


@pytest.mark.parametrize("line", ["config", "config --resolved", "config --explain image", "config validate"])
def test_the_environment_is_hidden(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A template sees the variables that were given, and no others."""
    assert dispatch([*line.split(), "--safe"]) == 0
    assert "from-here" not in capsys.readouterr().out
    assert dispatch([*line.split(), "--safe", "--pass-env", "OTHER", "--pass-env", "IMAGE"]) == 0
    assert ("from-here" in capsys.readouterr().out) is (line != "config validate")
    assert not ran()


def test_a_variable_that_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """The error tells how to give it; an optional one is a warning, with its place."""
    assert dispatch(["config", "validate", "--safe"]) == 0
    warning = "config/deploy.yml:2:1: IMAGE is hidden by --safe; --pass-env IMAGE shows it to the file"
    assert warning in capsys.readouterr().err
    assert dispatch(["config", "validate", "--safe", "--strict"]) == 1
    write(CONFIG.replace('ENV["IMAGE"] || "app"', 'ENV.fetch("IMAGE")'))
    assert dispatch(["config", "validate", "--safe"]) == 1
    assert "of the environment the file sees what --pass-env IMAGE shows it" in capsys.readouterr().out


def test_the_destination_is_no_hidden_variable(capsys: pytest.CaptureFixture[str]) -> None:
    """It is given by -d, and both files are looked through."""
    write('image: <%= ENV["KAMAL_DESTINATION"] %>/<%= ENV["TAG"] %>\n', "deploy.staging.yml")
    assert dispatch(["config", "validate", "--safe", "-d", "staging"]) == 0
    said = capsys.readouterr().err
    assert "config/deploy.staging.yml:1:1: TAG is hidden" in said
    assert "KAMAL_DESTINATION" not in said


def test_a_machine_is_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The document for machines names what was hidden, for a file that fails too."""
    write(CONFIG.replace("10.0.0.1", "<%= `touch ran` %>"))
    assert dispatch(["config", "validate", "--safe", "--output", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["valid"] is False
    assert "IMAGE is hidden by --safe" in [each["message"] for each in document["diagnostics"]][-1]


def test_git_is_not_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is what is given, else it is not known."""
    monkeypatch.setenv("VERSION", "hidden")
    assert dispatch(["config", "--safe", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "unknown"
    assert dispatch(["config", "--safe", "--version", "v1", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "v1"


def test_files_outside_of_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither a template nor the names of secrets tell what other files of the machine hold."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_text("B=1\n")
    Path("link").symlink_to(outside)
    for path in (outside, "link"):
        write(CONFIG.replace("10.0.0.1", f"<%= File.read('{path}') %>"))
        assert dispatch(["config", "validate", "--safe"]) == 1
        assert "is not below" in capsys.readouterr().out
    write(CONFIG)
    (tmp_path / ".kamal" / "secrets").unlink()
    (tmp_path / ".kamal" / "secrets").symlink_to(outside)
    assert dispatch(["config", "validate", "--safe"]) == 0
    assert "the secret" not in capsys.readouterr().err


def test_dotenv_files(capsys: pytest.CaptureFixture[str]) -> None:
    """They are read; a command in one is refused."""
    Path(".env").write_text("IMAGE=from-dotenv\n")
    write(f"<% Dotenv.load %>\n{CONFIG}")
    assert dispatch(["config", "--safe"]) == 0
    assert "from-dotenv" in capsys.readouterr().out
    Path(".env").write_text("IMAGE=$(touch ran)\n")
    assert dispatch(["config", "--safe"]) == 1
    assert not ran()


def test_a_real_ruby_is_not_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the variable that asks for it is shown."""
    monkeypatch.setenv("KAMAL_ERB", "ruby")
    assert dispatch(["config", "validate", "--safe"]) == 0
    assert dispatch(["config", "validate", "--safe", "--pass-env", "KAMAL_ERB"]) == 1
    assert "is not run here" in capsys.readouterr().out


def test_pre_commit_is_safe_by_default(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook runs on files that were just fetched; the message says how to trust them."""
    monkeypatch.setenv("PRE_COMMIT", "1")
    write(CONFIG.replace("10.0.0.1", "<%= `touch ran` %>"))
    assert dispatch(["config", "validate"]) == 1
    assert "Where the file is trusted, unset PRE_COMMIT." in capsys.readouterr().out
    assert not ran()


def test_the_hook_for_pre_commit() -> None:
    """The hook that other projects use is safe, and does not depend on the changed files."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "kamal config validate --safe"
    assert hook["pass_filenames"] is False
