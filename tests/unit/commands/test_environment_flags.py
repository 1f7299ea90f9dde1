"""Flags whose values are in the environment of a program, out of everybody's sight."""

from __future__ import annotations

import pytest

from pykamal.commands.command import command
from pykamal.commands.environment_flags import environment_flags
from tests.unit.commands.shell import SHELLS, run

pytestmark = pytest.mark.unit


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_the_program_finds_the_value(shell: str) -> None:
    """As a shell makes it of the value in double quotes (spec/config.md 18.7), for this program alone."""
    text = "a  b \"q\" 'q' $HOME `id` \\ grün"
    words, variables = environment_flags("--env", {"TOKEN": text, "N": 5, "T": True})
    assert words == ["--env", "TOKEN", "--env", "N", "--env", "T"]
    line = command("printenv", "TOKEN", "N", "T").with_environment(variables)
    assert line.display_text() == "printenv TOKEN N T"
    assert line.arguments() is None, "it needs a shell"
    assert run(line, shell=shell).stdout.decode() == f"{text}\n5\ntrue\n"
    assert run(f"{line.shell_text()} > /dev/null; printenv TOKEN", shell=shell).stdout == b""


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "--env K"), ("", "--env K"), (" ", "--env K"), (False, "--env K=false")]
)
def test_what_has_no_value_is_written_as_ever(value: object, shown: str) -> None:
    """spec/config.md 18.8."""
    words, variables = environment_flags("--env", {"K": value})
    assert (command(*words).display_text(), variables) == (shown, {})


KEPT = [
    *("PATH", "HOME", "UID", "LD_PRELOAD", "BASH_ENV", "DOCKER_HOST", "DOCKER_CLI_HINTS", "BUILDX_BUILDER"),
    *("a-b", "a.b"),
]


@pytest.mark.parametrize("name", KEPT)
def test_names_that_programs_obey_stay_arguments(name: str) -> None:
    """A build argument must not change which Docker is called, or what it does; other names no shell can assign to."""
    words, variables = environment_flags("--build-arg", {name: "value"})
    assert command(*words).shell_text() == f'--build-arg {name}="value"'
    assert "value" not in command(*words).display_text()
    assert variables == {}


@pytest.mark.parametrize("name", ["LDAP_PASSWORD", "DOCKER_TOKEN", "PATHS", "HOME_URL", "BUILDKIT_INLINE_CACHE", "_x1"])
def test_names_that_only_look_like_those_are_values_of_people(name: str) -> None:
    """They may hold secrets."""
    assert list(environment_flags("--build-arg", {name: "value"})[1]) == [name]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "no_proxy"])
def test_the_address_of_a_proxy_is_no_secret_unless_it_has_a_password(name: str) -> None:
    """Docker's client obeys these names itself."""
    assert environment_flags("--build-arg", {name: "http://proxy:3128"})[1] == {}
    assert list(environment_flags("--build-arg", {name: "http://me:pass@proxy:3128"})[1]) == [name]
