"""Programs of templates that are not there, with the shell of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.config.load import load_document
from pykamal.core.errors import ConfigurationError
from pykamal.operations.local.local_system import LocalSystem
from tests.erb_files import FILES_OF_SHELL_LINES, SHELL_LINES, with_shell_line

pytestmark = [pytest.mark.unit, pytest.mark.process]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    for name, text in FILES_OF_SHELL_LINES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(project: Path, template: str) -> None:
    (project / "config" / "deploy.yml").write_text(template)
    load_document(system=LocalSystem(project))


@pytest.mark.parametrize(("line", "label"), SHELL_LINES.items())
def test_a_program_that_is_not_there(line: str, label: str | None, project: Path) -> None:
    """A plain line without its program is an error with place and remedy, as in Ruby, and no empty value."""
    if label is None:
        load(project, with_shell_line(line))
        return
    with pytest.raises(ConfigurationError) as caught:
        load(project, with_shell_line(line))
    program = line.split(maxsplit=1)[0]
    assert (caught.value.label, caught.value.message.endswith(f" - {program}")) == (label, True)
    assert str(caught.value.diagnostics[0].location.position).startswith("config/deploy.yml:4:")
    assert f"Install {program}" in str(caught.value.hint)


def test_such_an_error_can_be_rescued(project: Path) -> None:
    """`rescue Errno::ENOENT` goes on with another value; `system` tells by nil, or raises where it is asked to."""
    load(
        project,
        "<% a = begin; `nowhere`; rescue Errno::ENOENT; 'none'; end\n"
        "b = system('nowhere').inspect\n"
        "c = begin; system('nowhere', exception: true); rescue Errno::ENOENT => e; e.class; end\n"
        "raise 'wrong' unless [a, b, c.to_s] == %w[none nil Errno::ENOENT] %>\n"
        "service: app",
    )
