"""From what a host said to an error that says what to do next."""

from __future__ import annotations

import json

import pytest

from pykamal.commands.command import command
from pykamal.commands.proxy import ENDPOINT_MISSING_STATUS, deploy_role
from pykamal.commands.readiness import DISK_FULL_STATUS, PORT_TAKEN_STATUS
from pykamal.commands.script import Step
from pykamal.core.errors import BootError, CommandFailed
from pykamal.operations.execution.diagnosis import error_of, explained
from pykamal.transport.session import StepResult
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit


def result(*, status: int = 1, stdout: str = "", stderr: str = "", step: Step | None = None) -> StepResult:
    return StepResult(step or Step("pull image", command("docker", "pull", "app:1")), status, stdout, stderr, 0.1)


def test_no_container_to_route_to_is_a_boot_error() -> None:
    """spec/cli.md 13.5.1, step 8: the text and the class are those that scripts know."""
    web = role("web", "10.0.0.1")
    step = Step("switch traffic", deploy_role(config(web), web, "1"))
    said = "Failed to get endpoint for web, did the container boot?\n"
    error = error_of(result(status=ENDPOINT_MISSING_STATUS, stderr=said, step=step), "10.0.0.1")
    assert isinstance(error, BootError)
    assert error.message == "Failed to get endpoint for web on 10.0.0.1, did the container boot?"
    assert error.label == "Kamal::Cli::BootError"
    assert error.host == "10.0.0.1"
    assert error.hint is not None
    assert any(line.startswith("command: ") for line in error.details)


def test_the_status_alone_is_no_missing_endpoint() -> None:
    """An app's own exit status may be the same number."""
    assert isinstance(error_of(result(status=ENDPOINT_MISSING_STATUS, stderr="no\n"), "a"), CommandFailed)


@pytest.mark.parametrize(
    ("users", "holder"),
    [(' users:(("nginx",pid=42,fd=6))', "nginx (process 42)"), ("", "another program")],
)
def test_a_taken_port_names_its_holder(users: str, holder: str) -> None:
    """design.md, rule 5; without root `ss` does not tell whose port it is."""
    said = f"LISTEN 0      5            0.0.0.0:80        0.0.0.0:*   {users}\n"
    error = error_of(result(status=PORT_TAKEN_STATUS, stderr=said), "10.0.0.1")
    assert error.message == f"Port 80 of 10.0.0.1 is taken by {holder}, so kamal-proxy cannot start there"


def test_a_full_disk_is_named() -> None:
    """design.md, rule 5."""
    said = "tmpfs                 4096      4096         0     100% /root/.kamal\n"
    error = error_of(result(status=DISK_FULL_STATUS, stderr=said), "10.0.0.1")
    assert error.message == "The disk at /root/.kamal of 10.0.0.1 is full (0 KiB left)"
    assert "df -h" in (error.hint or "")


def test_what_became_of_the_container_explains_more_than_what_docker_said() -> None:
    """design.md, rule 5: state and last log lines, and the hint that follows from them."""
    record = json.dumps({"restarts": 2, "state": {"Status": "restarting", "ExitCode": 1}})
    evidence = [result(status=0, stdout=f"{record}\nno database configured\n")]
    error = explained(result(stderr="target failed to become healthy"), "a", evidence)
    assert "container: restarting, restarted 2 times, exit code 1" in error.details
    assert error.details[-1] == "  no database configured"
    assert error.hint is not None
    assert "the app exited at start" in error.hint


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Error response from daemon: manifest for app:1 not found: manifest unknown", "kamal build push"),
        ('Conflict. The container name "/kamal-proxy" is already in use by container "2e26"', "kamal proxy reboot"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "systemctl start docker"),
        ("sh: 1: docker: not found", "kamal server bootstrap"),
        ("write /var/lib/docker/tmp/x: no space left on device", "kamal prune all"),
        (
            'Get "http://10.0.0.9/v2/": dial tcp 10.0.0.9:80: connect: connection refused',
            "the registry does not answer",
        ),
        ('Head "https://registry.example/v2/app": EOF', "the registry does not answer"),
        (
            "Error response from daemon: No such container: kamal-proxy\nGet https://docker.io/v2/: dial tcp: lookup",
            "the registry does not answer",
        ),
        ("Error response from daemon: No such container: kamal-proxy", "kamal proxy boot"),
        ("login attempt to http://10.0.0.9/v2/ failed with status: 401 Unauthorized", "registry/password"),
        ("pull access denied for app, repository does not exist or may require 'docker login'", "registry/username"),
        ("Error: Cannot perform an interactive login from a non TTY device", "password is empty"),
        ("docker: Error response from daemon: network kamal not found.", "kamal setup"),
        ("tail: cannot open '.kamal/app-audit.log' for reading: No such file or directory", "kamal deploy"),
        ("manifests/latest: no basic auth credentials.", "kamal registry login"),
        ("docker: invalid reference format", "--version or VERSION"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "builder/arch"),
        ("Image app:1 is missing the 'service' label", "kamal build push"),
        ("Error response from daemon: container 021e047537f3 is not running", "kamal proxy start"),
        ('docker: Error response from daemon: exec: "exit": executable file not found in $PATH', "sh -c"),
        ("sh: 1: cannot create .kamal/app-audit.log: No space left on device", "disk of the host is full"),
    ],
)
def test_hints(said: str, advice: str) -> None:
    """design.md, rule 5: what to do next."""
    hint = error_of(result(stderr=said), "a").hint
    assert hint is not None
    assert advice in hint


def test_the_message_says_what_was_tried() -> None:
    """spec/cli.md 4.5: the step, then the words that Ruby Kamal's users know; odd lines count as the shell's."""
    assert error_of(result(), "a").message == "pull image: docker exit status: 1"
    grouped = Step("check host", command("id=1").and_(command("true")).grouped())
    assert error_of(result(step=grouped), "a").message == "check host: sh exit status: 1"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Error response from daemon: No such container: kamal-proxy\n", "kamal proxy boot"),
        ("Error: No such container: hello-web-1\n", "kamal details"),
    ],
)
def test_a_container_that_is_not_there(said: str, hint: str) -> None:
    """design.md, rule 5: what to do next."""
    assert hint in (error_of(result(stderr=said), "10.0.0.1").hint or "")
