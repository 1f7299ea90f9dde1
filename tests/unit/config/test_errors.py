"""Refused configurations and their messages (spec/config.md 2, 17 and 20)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.config import load
from pykamal.core.errors import ConfigurationError
from tests.config_catalogue import ACCEPTED, REFUSED, changed
from tests.config_world import World, loaded, refused

pytestmark = pytest.mark.unit

_DOCKER = {"docker info --format '{{.Architecture}}'": "x86_64\n"}


@pytest.mark.parametrize(("row", "change", "message", "label"), REFUSED, ids=[f"{row[0]}-{row[1]}" for row in REFUSED])
def test_catalogue(row: int, change: str, message: str, label: str) -> None:
    """Every row of the error catalogue is refused with its literal text and class name (spec/config.md 20)."""
    error = refused(changed(change), world=World(shell=_DOCKER))
    assert (error.message, error.label) == (message, label)
    assert error.exit_code == 1


@pytest.mark.parametrize("change", ACCEPTED)
def test_accepted(change: str) -> None:
    """Configurations that Ruby Kamal accepts are accepted, surprising or not (spec/config.md 20, after the table)."""
    loaded(changed(change))


def test_every_error_in_one_run_by_line() -> None:
    """All problems are reported, ordered by line, each at its place (spec/config.md 22: report all of them)."""
    text = (
        "service: app.com\n"
        "image: dhh/app\n"
        "servers:\n"
        "  web:\n"
        "    hosts: [1.1.1.1]\n"
        "    proxyy: true\n"
        "registry: {username: u}\n"
        "builder: {arhc: amd64}\n"
        "volums: []\n"
        "proxy: {app_port: '3000'}\n"
    )
    error = refused(text)
    places = [(str(problem.location.position), problem.message) for problem in error.diagnostics]
    assert places == [
        (
            "config/deploy.yml:1:10",
            "Service name can only include alphanumeric characters, hyphens, and underscores",
        ),
        ("config/deploy.yml:6:5", "servers/web: unknown key: proxyy"),
        ("config/deploy.yml:7:1", "registry/password: is required"),
        ("config/deploy.yml:8:11", "builder: unknown key: arhc"),
        ("config/deploy.yml:9:1", "unknown key: volums"),
        ("config/deploy.yml:10:19", "proxy/app_port: should be an integer"),
    ]
    assert error.message == "unknown key: volums", "Ruby Kamal stops at the root's keys (spec/config.md 2.4)"


def test_problem_in_full() -> None:
    """A problem says what was expected and found and quotes its line with a caret."""
    (problem,) = refused(changed("deploy_timeout: '30'")).diagnostics
    assert problem.location.setting == "deploy_timeout"
    assert problem.identifier == "wrong-type"
    assert problem.evidence == ('expected an integer, found the string "30"',)
    assert problem.location.quote == "deploy_timeout: '30'\n                ^"


@pytest.mark.parametrize(
    ("change", "suggestion"),
    [
        ("volums: []", "volumes"),
        ("servers: {web: {hosts: [a], command: x}}", "cmd"),
        ("proxy: {appPort: 3000}", "app_port"),
        ("quite_unlike_anything: 1", None),
    ],
)
def test_nearest_spelling(change: str, suggestion: str | None) -> None:
    """An unknown key comes with the nearest key that exists."""
    (problem,) = refused(changed(change)).diagnostics
    assert problem.remedy == (f"did you mean {suggestion}?" if suggestion else None)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ("traefik: {}", "a proxy of its own"),
        ("healthcheck: {path: /up}", "proxy/healthcheck"),
        ("servers: {web: {hosts: [a], traefik: true}}", "a proxy of its own"),
        ("builder: {arch: amd64, multiarch: false}", "builder/arch"),
        ("stop_wait_time: 30", "drain_timeout"),
    ],
)
def test_keys_of_kamal_1(change: str, note: str) -> None:
    """A key of Kamal 1 comes with what became of it, and the error tells that the file is for Kamal 1."""
    error = refused(changed(change))
    (problem,) = error.diagnostics
    assert problem.identifier == "kamal-1-key"
    assert problem.remedy is not None
    assert note in problem.remedy
    assert "did you mean" not in problem.remedy
    assert "Kamal 1" in (error.hint or "")


def test_a_misspelt_destination() -> None:
    """The nearest destination that has a file is suggested, and all are listed."""
    files: dict[str, str | bytes] = {"config/deploy.staging.yml": "{}", "config/deploy.production.yml": "{}"}
    error = refused("x: 1", destination="stagin", world=World(files=files))
    assert error.hint is not None
    assert error.hint.startswith("Did you mean -d staging? There are production, staging;")


@pytest.mark.parametrize("change", ["require_destination: true", "servers: {web: {hosts: []}}"])
def test_a_forgotten_destination(change: str) -> None:
    """A missing required key may stand in a destination's file, so the error lists the existing ones."""
    files: dict[str, str | bytes] = {"config/deploy.staging.yml": "{}", "config/deploy.production.yml": "{}"}
    error = refused(changed(change), world=World(files=files))
    assert error.hint == "This project has destinations, and none was chosen: add -d production or -d staging."


def test_a_forgotten_destination_is_not_blamed_for_other_errors() -> None:
    """A misspelt key has nothing to do with destinations."""
    error = refused(changed("volums: []"), world=World(files={"config/deploy.staging.yml": "{}"}))
    assert "destination" not in (error.hint or "")


def test_host_and_hosts_of_two_files() -> None:
    """Both places are shown, since each file alone is right."""
    world = World(files={"config/deploy.staging.yml": "proxy: {hosts: [b.com]}\n"})
    (problem,) = refused(changed("proxy: {host: a.com}"), destination="staging", world=world).diagnostics
    assert problem.evidence == ("`host` is set at config/deploy.yml:6:15, `hosts` at config/deploy.staging.yml:1:16",)


def test_docker_arch_without_docker() -> None:
    """The architecture that Docker did not tell is named as the cause, with what to write instead."""
    world = World(shell={"docker info --format '{{.Architecture}}'": ""})
    (problem,) = refused(changed("builder: {arch: <%= Kamal::Utils.docker_arch %>}"), world=world).diagnostics
    assert problem.message == "builder/arch: should be an array or a string"
    assert problem.remedy is not None
    assert "arch: amd64" in problem.remedy


def test_plain_variables_beside_clear() -> None:
    """A variable beside `clear` of another file is told where it belongs."""
    world = World(files={"config/deploy.staging.yml": "env: {clear: {C: d}}\n"})
    (problem,) = refused(changed("env: {A: b}"), destination="staging", world=world).diagnostics
    assert problem.remedy is not None
    assert "config/deploy.staging.yml:1:7" in problem.remedy
    assert "below `clear`" in problem.remedy


def test_details_are_ready_to_print() -> None:
    """`details` holds every problem with its place, quote and advice, one line an item."""
    assert refused(changed("volums: []")).details == (
        "config/deploy.yml:6:1: unknown key: volums [unknown-key]",
        "    volums: []",
        "    ^",
        "    did you mean volumes?",
    )


def test_secrets_are_not_quoted() -> None:
    """A line that may hold a secret is neither quoted nor is its value named."""
    error = refused(changed("registry: {username: u, password: 12345}"))
    assert "12345" not in " ".join(error.details)


def test_many_problems_are_counted() -> None:
    """The report stays readable: after a hundred problems the rest is counted."""
    error = refused(changed(f"volumes: [{', '.join('[]' for _ in range(150))}]"))
    assert len(error.diagnostics) == 150
    assert error.details[-1] == "and 50 more"


def test_file_not_found() -> None:
    """Rows 1 and 2 of the catalogue: the absolute path is named, for the destination's file too."""
    error = refused("x: 1", destination="nope")
    assert error.message == "Configuration file not found in /work place/config/deploy.nope.yml"
    assert "leave out -d" in (error.hint or "")
    assert error.label == "RuntimeError"


@pytest.mark.parametrize(
    ("path", "destination", "missing"),
    [
        ("config/deploy.yml", "", "config/deploy..yml"),
        ("config/deploy.yml", "a/b", "config/deploy.a/b.yml"),
        ("config/foo.yaml", "staging", "config/foo.staging.yml"),
        ("bare", "nope", "bare.nope.yml"),
        ("a/deploy.erb.yml", "x", "a/deploy.erb.x.yml"),
    ],
)
def test_destination_file_names(path: str, destination: str, missing: str) -> None:
    """The last extension of the base's path is replaced (spec/config.md 1.1)."""
    world = World(files={path: changed("x-a: 1")})
    with pytest.raises(ConfigurationError) as caught:
        load(Path(path), destination=destination, system=world)
    assert caught.value.message == f"Configuration file not found in /work place/{missing}"


def test_path_is_shown_without_detours() -> None:
    """`-c ../x.yml` is made absolute in messages (spec/config.md 1.1)."""
    with pytest.raises(ConfigurationError, match=r"Configuration file not found in /other/x\.yml"):
        load(Path("../other/x.yml"), system=World(working_directory=Path("/work")))


def test_directory_instead_of_file() -> None:
    """Row 3 of the catalogue."""
    error = refused("x: 1", destination="dir", world=World(files={"config/deploy.dir.yml/x": ""}))
    assert error.message == "Is a directory @ io_fread - /work place/config/deploy.dir.yml"
    assert error.label == "Errno::EISDIR"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "just text\n", "~\n"])
def test_no_mapping(text: str) -> None:
    """Rows 4 and 5 of the catalogue: exit 1 with words of our own (spec/config.md 1.4)."""
    error = refused(text)
    assert error.message == "config/deploy.yml must be a mapping of keys to values"
    assert error.label == "NoMethodError"


def test_renamed_hooks() -> None:
    """Row 132 of the catalogue: only the hooks that are there are named."""
    world = World(files={".kamal/hooks/post-traefik-reboot": ""})
    error = refused(changed("image: x"), world=world)
    assert error.message == "Found post-traefik-reboot, these should be renamed to (pre|post)-proxy-reboot"


def test_destination_satisfies_the_requirement() -> None:
    """`require_destination` is content with any destination (spec/config.md 17, check 1)."""
    world = World(files={"config/deploy.staging.yml": "{}"})
    config = loaded(changed("require_destination: true"), destination="staging", world=world)
    assert config.service_with_destination == "app-staging"


@pytest.mark.parametrize("host", ["user@", "@web", "web:", "web:0", "web:000", "u@-web", "-web"])
@pytest.mark.parametrize("form", ["servers: ['{}']", "accessories: {{db: {{image: x, host: '{}'}}}}"])
def test_hosts_that_openssh_refuses(form: str, host: str) -> None:
    """A host without its name or with the port 0 is refused where it stands, before anything is connected to."""
    assert "should be an address that OpenSSH takes" in refused(changed(form.format(host))).message


@pytest.mark.parametrize(
    "host", ["::", "::1", "fe80::0", "[::1]:22", "web:22", "u@web:10", "user@dom@web", "10.0.0.10"]
)
def test_hosts_that_openssh_takes(host: str) -> None:
    """Addresses of version 6 are hosts too, with their zeros and colons."""
    loaded(changed(f"servers: ['{host}']"))


@pytest.mark.parametrize("port", ["0", "65536", "99999", "'22 -oX'", "abc"])
def test_an_invalid_ssh_port_is_refused(port: str) -> None:
    """An invalid port is refused, since the default port would be used instead."""
    config = loaded(changed(f"ssh: {{port: {port}}}"))
    assert (config.ssh.port, any("ssh/port is no port number" in each.message for each in config.warnings)) == (
        22,
        True,
    )
