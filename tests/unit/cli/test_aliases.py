"""Looking up aliases: nothing of deploy.yml is run to find out whether a word is one (spec/cli.md 10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.cli.aliases import expand
from pykamal.core.errors import ConfigurationError

pytestmark = pytest.mark.unit

RAN = Path("ran")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAMAL_ERB", raising=False)


def write(text: str, name: str = "deploy.yml") -> None:
    Path("config", name).write_text(text)


@pytest.mark.process
@pytest.mark.parametrize(
    "text",
    [
        "<% `touch ran` %>\naliases: {console: app exec}\n",
        "<% hosts = JSON.parse(`touch ran; echo '[1]'`) %>\nservers: <%= hosts %>\naliases: {console: app exec}\n",
        "servers:\n<% `touch ran; echo a`.split.fetch(0) %>\n  - a\naliases: {console: app exec}\n",
        "<% if ENV['X'] || true %>\naliases: {console: <%= `touch ran; echo app` %> exec}\n<% end %>\n",
    ],
)
def test_a_template_that_runs_commands(text: str) -> None:
    """Another word is known to be none without running them, even where the template cannot do without their output."""
    write(text)
    assert expand("nonsense", []) is None
    assert not RAN.exists()
    words = expand("console", [])
    assert words == ["app", "exec"]
    assert RAN.exists(), "an alias that is used is read like every configuration"


def test_a_name_that_only_a_command_tells() -> None:
    """It is not found: finding it would run the command."""
    write("aliases: {<%= `touch ran; echo console` %>: app exec}\n")
    assert expand("console", []) is None
    assert not RAN.exists()


def test_a_name_that_a_template_makes() -> None:
    """Templates are evaluated as far as they run nothing, so names that they make are found."""
    write("aliases:\n<% %w[one two].each do |name| %>\n  <%= name %>: app exec <%= name %>\n<% end %>\n")
    assert expand("two", []) == ["app", "exec", "two"]


def test_the_files_that_options_select() -> None:
    """`-c` and `-d` among the words behind the alias choose the files."""
    write("aliases: {one: app exec}\n")
    write("aliases: {two: app logs}\n", "deploy.staging.yml")
    write("aliases: {three: app stop}\n", "other.yml")
    assert expand("two", []) is None
    assert expand("two", ["-d", "staging"]) == ["app", "logs"]
    assert expand("two", ["-vd", "staging"]) == ["app", "logs"]
    assert expand("three", ["--config-file=config/other.yml"]) == ["app", "stop"]
    assert expand("one", ["--", "ls", "-d", "staging"]) == ["app", "exec"]
    assert expand("two", ["--", "ls", "-d", "staging"]) is None


def test_a_file_that_is_broken() -> None:
    """The error is the file's, not that of what stands in for its templates."""
    write("aliases: [<%= `touch ran` %>\n")
    with pytest.raises(ConfigurationError):
        expand("console", [])
    assert not RAN.exists()


def test_no_configuration() -> None:
    """Neither a missing file nor a folder in its place has aliases."""
    assert expand("console", []) is None
    Path("config", "deploy.yml").mkdir()
    assert expand("console", []) is None
